"""What a server that is configured by names can be given: the test replaces it, the server finds it."""

from tests.scripted import ScriptedFactory

FACTORY = ScriptedFactory()


async def start_engine(path, options, progress):  # type: ignore[no-untyped-def]
    return await FACTORY(path, options, progress)
