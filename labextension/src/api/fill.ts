import { Connection } from './connection';

/** What is between two texts, as the model writes it. Aborting `signal` stops it at once. */
export async function* fill(
  connection: Connection,
  wish: { model: string; before: string; after: string; tokens: number },
  signal: AbortSignal
): AsyncGenerator<string> {
  const body = {
    model: wish.model,
    prompt: wish.before,
    // Without a suffix it would be a plain continuation.
    suffix: wish.after || '\n',
    max_tokens: wish.tokens,
    temperature: 0,
    stop: ['\n\n\n'],
    stream: true
  };
  const ask = { method: 'POST' as const, body, signal };
  for await (const { data } of connection.events('v1/completions', ask)) {
    if (data === '[DONE]') {
      return;
    }
    const text: unknown = JSON.parse(data).choices?.[0]?.text;
    if (typeof text === 'string' && text) {
      yield text;
    }
  }
}
