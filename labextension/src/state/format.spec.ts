import { bytes, count, duration, rate } from './format';

test('bytes are written in powers of 1000, with a digit where it says something', () => {
  expect(bytes(0)).toBe('0 B');
  expect(bytes(98_341_000)).toBe('98 MB');
  expect(bytes(1_500)).toBe('1.5 kB');
  expect(bytes(999_600)).toBe('1.0 MB');
  expect(bytes(null)).toBe('');
});

test('seconds are written as a clock', () => {
  expect(duration(65)).toBe('1:05');
  expect(duration(7200)).toBe('2:00:00');
});

test('counts are shortened', () => {
  expect(count(999)).toBe('999');
  expect(count(1_234)).toBe('1.2k');
  expect(count(34_000_000)).toBe('34M');
});

test('slow rates keep a digit', () => {
  expect(rate(4.26)).toBe('4.3');
  expect(rate(118.4)).toBe('118');
});
