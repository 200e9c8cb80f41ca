"""A model of the fake provider, asked as the planner asks it; in either shape."""

from contextlib import asynccontextmanager
from datetime import timedelta

from pydantic import SecretStr

from orchestrator.planners.llm.config import ModelConfig
from orchestrator.planners.llm.conversation import ModelRequest, Said, ToolCard
from orchestrator.planners.llm.model import open_model

KEY = "a-key-that-nobody-may-see"
TOOL = ToolCard(
    "read_file",
    "Reads a file.",
    {
        "type": "object",
        "properties": {"path": {"type": "string", "description": "Which."}},
        "required": ["path"],
        "additionalProperties": False,
    },
)


def request(*items, max_output=100):
    """Return a request with one tool."""
    return ModelRequest("You read files.", items or [Said("hello")], [TOOL], max_output)


def config_of(fake, shape, **more):
    """Return the configuration of a deployment whose models are at the fake."""
    url = fake.openai_url if shape == "openai" else fake.anthropic_url
    settings = {"first_token": timedelta(seconds=30), "timeout": timedelta(seconds=30), **more}
    return ModelConfig(f"{shape}:fake", base_url=url, api_key=SecretStr(KEY), **settings)


class Asked:
    """A model, and what it has said."""

    def __init__(self, model):
        self.model = model
        self.said = []

    async def say(self, text):
        self.said.append(text)

    async def ask(self, *items, max_output=100):
        """Ask it; `items` are the conversation."""
        self.said = []
        return await self.model.ask(request(*items, max_output=max_output), self.say)


@asynccontextmanager
async def asked(fake, shape, **more):
    """Yield a model of the fake."""
    config = config_of(fake, shape, **more)
    model = open_model(config.model, config)
    try:
        yield Asked(model)
    finally:
        await model.close()
