import { ILoaded, IStatus } from '../api/types';
import { Speed } from './speed';

function look(tokens: number, running = 1): IStatus {
  const engine = { tokens_generated: tokens };
  const loaded = [
    { identifier: 'smollm2', running, engine } as Partial<ILoaded>
  ];
  return { loaded } as unknown as IStatus;
}

test('speed is what was written between two looks', () => {
  const speed = new Speed();
  speed.see(look(100), 0);
  expect(speed.total).toBeNull();
  speed.see(look(250), 1500);
  expect(speed.total).toBe(100);
});

test('a model that stands still has no speed', () => {
  const speed = new Speed();
  speed.see(look(100), 0);
  speed.see(look(250, 0), 1500);
  expect(speed.total).toBeNull();
});
