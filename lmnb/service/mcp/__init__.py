"""Tools of MCP servers, through the official client library (the extra `mcp`), imported when used."""
