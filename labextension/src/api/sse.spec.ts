import { IServerEvent, serverEvents } from './sse';

async function read(
  ...chunks: (string | Uint8Array)[]
): Promise<IServerEvent[]> {
  async function* bytes(): AsyncGenerator<Uint8Array> {
    for (const chunk of chunks) {
      yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
    }
  }
  const events: IServerEvent[] = [];
  for await (const event of serverEvents(bytes())) {
    events.push(event);
  }
  return events;
}

test('an event may be spread over chunks', async () => {
  expect(await read('da', 'ta: {"a"', ':1}\n', '\n')).toEqual([
    { name: 'message', data: '{"a":1}' }
  ]);
});

test('an event has its name and all of its lines', async () => {
  expect(await read('event: end\ndata: one\ndata: two\n\n')).toEqual([
    { name: 'end', data: 'one\ntwo' }
  ]);
});

test('a character may be spread over chunks', async () => {
  const [first, ...rest] = new TextEncoder().encode('é');
  expect(
    await read(
      'data: ',
      Uint8Array.of(first ?? 0),
      Uint8Array.from(rest),
      '\n\n'
    )
  ).toEqual([{ name: 'message', data: 'é' }]);
});

test('keep-alives are no events', async () => {
  expect(await read(': ping\n\n', ':\n\n', 'data: x\r\n\r\n')).toEqual([
    { name: 'message', data: 'x' }
  ]);
});

test('half an event at the end is none', async () => {
  expect(await read('data: x')).toEqual([]);
});
