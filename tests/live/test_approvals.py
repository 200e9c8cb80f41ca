"""A person in the loop of the containers: what is shown is what happens, and not before."""

import httpx

from tests.live.stack import KEY, wait_until

PLAN = {
    "steps": [
        {"name": "s", "tool": "write_file", "arguments": {"path": "hello.txt", "content": "hi\n"}}
    ]
}


def test_a_run_waits_for_its_approval_and_does_what_was_shown(stack):
    """By REST alone, as the README's exchange has it."""
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=30) as http:
        session = http.post("/v1/sessions", json={}).json()["id"]
        path = f"/v1/sessions/{session}/runs"
        asked = {"plan": PLAN, "approval": "writes"}
        run = http.post(path, json=asked, headers={"Prefer": "wait=20"}).json()
        assert run["status"] == "awaiting_approval"
        run = f"{path}/{run['id']}"
        shown = http.get(f"{run}/plan")
        file = f"/v1/sessions/{session}/files/hello.txt"
        assert "+hi" in shown.json()["calls"][0]["preview"]["diff"]
        assert http.get(file).status_code == 404
        answer = {"If-Match": shown.headers["etag"]}
        said = http.post(f"{run}/approval", json={"decision": "approve"}, headers=answer)
        assert said.status_code == 202, said.text
        wait_until(lambda: http.get(run).json()["status"] == "succeeded")
        assert http.get(file).text == "hi\n"
        late = http.post(f"{run}/approval", json={"decision": "reject"}, headers=answer)
        assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
