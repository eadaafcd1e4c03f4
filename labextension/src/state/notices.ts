import { Event } from '@jupyterlab/services';

import { INotice } from '../api/types';

/** The schema of what lmnb tells on Jupyter's own event stream. */
export const NOTICE = 'https://events.jupyter.org/lmnb/notice/v1';

/** Calls `hear` for each of lmnb's notices until `stream` ends. */
export async function follow(
  stream: AsyncIterable<Event.Emission>,
  hear: (notice: INotice) => void
): Promise<void> {
  for await (const emission of stream) {
    const notice = noticeIn(emission);
    if (notice) {
      hear(notice);
    }
  }
}

/** The notice in one of Jupyter's events; null for everybody else's. */
export function noticeIn(emission: Event.Emission): INotice | null {
  const { schema_id: schema, kind, data } = emission;
  if (schema !== NOTICE || typeof kind !== 'string') {
    return null;
  }
  return { kind, data: (data ?? {}) as Record<string, unknown> };
}
