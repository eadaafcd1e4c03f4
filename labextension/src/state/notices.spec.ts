import { NOTICE, noticeIn } from './notices';

test('lmnb’s events are notices', () => {
  const event = {
    schema_id: NOTICE,
    kind: 'model_unload',
    data: { instance_id: 'a' }
  };
  expect(noticeIn(event)).toEqual({
    kind: 'model_unload',
    data: { instance_id: 'a' }
  });
});

test('everybody else’s are none', () => {
  expect(
    noticeIn({ schema_id: 'https://events.jupyter.org/kernel_actions/v1' })
  ).toBeNull();
});
