"""A model of LangChain's that says what a test gives it to say."""

from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel


class Scripted(FakeMessagesListChatModel):
    """A model that gives its responses in turn; it keeps the names of the tools it is offered."""

    offered: list[str] = []

    def bind_tools(self, tools, **_kwargs):
        """Note the names."""
        self.offered.extend(tool.name for tool in tools)
        return self
