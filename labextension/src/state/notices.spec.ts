import { Connection } from '../api/connection';
import { INotice, IStatus } from '../api/types';
import { IServerEvent } from '../api/sse';
import { NOTICE, Notices, noticeIn } from './notices';

const UNLOADED = { kind: 'model_unload', data: { instance_id: 'a' } };

test('lmnb’s events are notices', () => {
  expect(noticeIn({ schema_id: NOTICE, ...UNLOADED })).toEqual(UNLOADED);
});

test('everybody else’s are none', () => {
  expect(
    noticeIn({ schema_id: 'https://events.jupyter.org/kernel_actions/v1' })
  ).toBeNull();
});

describe('when models come and go', () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  /** What is heard, and how often lmnb's own stream, which tells one thing, was asked for. */
  function listening() {
    const heard: INotice[] = [];
    const missed = jest.fn();
    const events = jest.fn(async function* (): AsyncGenerator<IServerEvent> {
      yield { name: UNLOADED.kind, data: JSON.stringify(UNLOADED.data) };
    });
    const connection = { events } as unknown as Connection;
    const notices = new Notices(connection, one => heard.push(one), missed);
    return { notices, heard, missed, events };
  }

  function loaded(...names: string[]): IStatus {
    const instances = names.map(identifier => ({ identifier }));
    return { loaded: instances } as unknown as IStatus;
  }

  async function* jupyter(): AsyncGenerator<{ schema_id: string }> {
    yield { schema_id: NOTICE, ...UNLOADED };
  }

  test('a silent stream is replaced by lmnb’s own', async () => {
    const { notices, heard, missed, events } = listening();
    notices.see(loaded());
    notices.see(loaded('a'));
    await jest.advanceTimersByTimeAsync(5000);
    expect(missed).toHaveBeenCalledTimes(1);
    expect(events).toHaveBeenCalledTimes(1);
    expect(heard).toEqual([UNLOADED]);
  });

  test('one that speaks a moment later is not', async () => {
    const { notices, heard, events } = listening();
    notices.see(loaded('a'));
    await jest.advanceTimersByTimeAsync(100);
    notices.see(loaded());
    await jest.advanceTimersByTimeAsync(100);
    await notices.follow(jupyter());
    await jest.advanceTimersByTimeAsync(5000);
    expect(events).not.toHaveBeenCalled();
    expect(heard).toEqual([UNLOADED]);
  });

  test('a server that comes back anew has told nothing wrong', async () => {
    const { notices, missed } = listening();
    notices.see(loaded('a'));
    notices.see(null);
    notices.see(loaded());
    await jest.advanceTimersByTimeAsync(5000);
    expect(missed).not.toHaveBeenCalled();
  });
});
