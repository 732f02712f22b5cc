"""The smallest service: it passes on what people say to each other, and answers the rest."""

from __future__ import annotations

from moobius_trio import MessageUp, MoobiusService, run


class Zero(MoobiusService):
    """A room. Joining, leaving and the list of people are seen to by the SDK."""

    async def on_msg_up(self, msg_up: MessageUp) -> None:
        """Somebody said something: nobody hears it unless it is sent."""
        if msg_up.to_service:
            await self.reply(msg_up, f"You said: {msg_up.text or msg_up.subtype}")
        else:
            await self.send(self.msg_up_to_msg_down(msg_up))


if __name__ == "__main__":
    run(Zero().serve)
