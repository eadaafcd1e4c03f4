import { stillHolds, surroundings, tidy } from './fill';

const cell = {
  before: 'def area(r):\n    return ',
  after: '\n\nprint(area(1))'
};

test('other cells stand around the one that is edited', () => {
  expect(surroundings(cell, ['import math'], ['area(2)'], 1000)).toEqual({
    before: `import math\n\n${cell.before}`,
    after: `${cell.after}\n\narea(2)`
  });
});

test('what is nearest to the cursor stays when there is little room', () => {
  const above = ['far = 1\n'.repeat(50), 'near = 2'];
  const { before, after } = surroundings(cell, above, ['x\n'.repeat(500)], 40);
  expect(before.endsWith(`near = 2\n\n${cell.before}`)).toBe(true);
  expect(before.length + after.length).toBeLessThanOrEqual(100);
});

test('a cell is cut between lines', () => {
  const above = ['a = 1\nb = 2\nc = 3'];
  const { before } = surroundings({ before: 'd', after: '' }, above, [], 6);
  expect(before).toBe('c = 3\n\nd');
});

test('a suggestion holds while its own beginning is typed', () => {
  const around = (typed: string): string => cell.before + typed + cell.after;
  expect(stillHolds(cell, 'math.pi * r', around(''))).toBe(true);
  expect(stillHolds(cell, 'math.pi * r', around('math'))).toBe(true);
  expect(stillHolds(cell, 'math.pi * r', around('sum'))).toBe(false);
  expect(stillHolds(cell, 'math.pi * r', cell.before)).toBe(false);
});

test('a suggestion does not repeat what follows the cursor', () => {
  expect(tidy('3.14 * r)', ')\nprint()')).toBe('3.14 * r');
  expect(tidy('3.14 * r\n\n', '')).toBe('3.14 * r');
});
