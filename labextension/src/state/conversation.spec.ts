import { asCell } from './conversation';

const talk = (more: object = {}): Parameters<typeof asCell>[0] => ({
  model: { value: 'smollm2-135m' },
  system: { value: '' },
  options: { value: {} },
  turns: { value: [{ role: 'user', text: 'Why is the sky blue?' }] },
  ...more
});

test('the last question becomes a cell', () => {
  expect(asCell(talk())).toBe(
    '%%lms --model smollm2-135m\nWhy is the sky blue?'
  );
});

test('parameters and the system prompt come along, quoted', () => {
  const cell = asCell(
    talk({
      system: { value: "Don't\nlie" },
      options: { value: { temperature: 0, max_tokens: 20 } }
    })
  );
  expect(cell?.split('\n')[0]).toBe(
    `%%lms --model smollm2-135m --temperature 0 --max-tokens 20 --system 'Don'"'"'t lie'`
  );
});

test('braces that were typed stay what they are', () => {
  const turns = { value: [{ role: 'user', text: 'What is {x}?' }] };
  expect(asCell(talk({ turns }))).toBe(
    '%%lms --model smollm2-135m --raw\nWhat is {x}?'
  );
});

test('without a question there is no cell', () => {
  expect(asCell(talk({ turns: { value: [] } }))).toBeNull();
});
