"""What the provider in the containers answers: one file is written, then that is told."""

from tests.system.models.answers import Answer, Conversation, Wanted


def answer(conversation: Conversation) -> Answer:
    """Write a file, and say so."""
    if not conversation.results:
        arguments = {"path": "hello.txt", "content": "hello\n"}
        return Answer(text="I write it.", calls=(Wanted(tool="write_file", arguments=arguments),))
    return Answer(text="It is written.")
