import { ask, explain } from './questions';

const error = {
  ename: 'ZeroDivisionError',
  evalue: 'division by zero',
  traceback: [
    '\u001b[31m----> 1\u001b[39m 1/0',
    'ZeroDivisionError: division by zero'
  ]
};

test('an error is asked about with its cell and its traceback, without colours', () => {
  expect(explain('smollm2', '1/0', error, 'What went wrong?')).toBe(
    [
      '%%lms --model smollm2 --raw --no-history',
      'What went wrong?',
      '',
      '```python',
      '1/0',
      '```',
      '',
      '```',
      '----> 1 1/0',
      'ZeroDivisionError: division by zero',
      '```'
    ].join('\n')
  );
});

test('an error without a traceback has its message', () => {
  const text = explain('smollm2', '1/0', { ...error, traceback: [] }, 'Why?');
  expect(text).toContain('ZeroDivisionError: division by zero');
});

test('of a long traceback the end is kept, which names the error', () => {
  const long = {
    ...error,
    traceback: ['x'.repeat(9000), 'ZeroDivisionError: the end']
  };
  const text = explain('smollm2', '1/0', long, 'Why?');
  expect(text).toContain('the end');
  expect(text.length).toBeLessThan(4500);
});

test('a cell with a fence of its own gets a longer one', () => {
  expect(ask('smollm2', '```\ncode\n```', 'markdown', 'What is it?')).toContain(
    '````markdown\n'
  );
});

test('a model may have any name', () => {
  expect(ask("Ann's model", '1', 'python', 'Why?')).toContain(
    `%%lms --model 'Ann'"'"'s model' --raw`
  );
});
