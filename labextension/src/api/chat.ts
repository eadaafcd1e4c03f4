import { Connection } from './connection';
import { IChatOptions, IChatStep, IMessage } from './types';

/** The steps of an answer. Aborting `signal` stops the model at once. */
export async function* chat(
  connection: Connection,
  model: string,
  messages: IMessage[],
  options: IChatOptions,
  signal: AbortSignal
): AsyncGenerator<IChatStep> {
  const body = {
    ...options,
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true }
  };
  const ask = { method: 'POST' as const, body, signal };
  for await (const { data } of connection.events('v1/chat/completions', ask)) {
    if (data === '[DONE]') {
      return;
    }
    yield stepOf(JSON.parse(data));
  }
}

/** A chunk of OpenAI's stream as a step. */
export function stepOf(chunk: {
  choices?: {
    delta?: { content?: string | null; reasoning_content?: string | null };
    finish_reason?: string | null;
  }[];
  usage?: { prompt_tokens: number; completion_tokens: number } | null;
  timings?: { predicted_per_second?: number } | null;
}): IChatStep {
  const step: IChatStep = {};
  const choice = chunk.choices?.[0];
  if (choice?.delta?.content) {
    step.text = choice.delta.content;
  }
  if (choice?.delta?.reasoning_content) {
    step.thinking = choice.delta.reasoning_content;
  }
  if (choice?.finish_reason) {
    step.finish = choice.finish_reason;
  }
  if (chunk.usage) {
    step.usage = chunk.usage;
  }
  if (chunk.timings?.predicted_per_second) {
    step.tokensPerSecond = chunk.timings.predicted_per_second;
  }
  return step;
}
