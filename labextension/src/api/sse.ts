/** One event of a stream: its name ("message" unless it says one) and its data. */
export interface IServerEvent {
  name: string;
  data: string;
}

/**
 * Server-sent events out of a response's bytes.
 *
 * `EventSource` cannot send an `Authorization` header or a body, so streams are read with `fetch`.
 */
export async function* serverEvents(
  chunks: AsyncIterable<Uint8Array>
): AsyncGenerator<IServerEvent> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of chunks) {
    rest += decoder.decode(chunk, { stream: true });
    const blocks = rest.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = parse(block);
      if (event) {
        yield event;
      }
    }
  }
}

/** A block of lines as an event. Comments (keep-alives) are none. */
function parse(block: string): IServerEvent | null {
  let name = 'message';
  const data: string[] = [];
  for (const line of block.split(/\r?\n/)) {
    const [, field, value] = /^([^:]+): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') {
      name = value ?? name;
    } else if (field === 'data') {
      data.push(value ?? '');
    }
  }
  return data.length ? { name, data: data.join('\n') } : null;
}

/** The chunks of a response's body; leaving the loop cancels the request. */
export async function* chunksOf(
  response: Response
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) {
    return;
  }
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
