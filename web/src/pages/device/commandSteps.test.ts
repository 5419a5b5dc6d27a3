import { expect, test } from 'vitest';
import type { Command, CommandStatus } from '../../api/types';
import { command } from '../../testing/fixtures';
import { stepsOf } from './commandSteps';

function tones(status: CommandStatus, reached: CommandStatus[]): string {
  const steps: Command['steps'] = reached.map((step, index) => ({ status: step, time: index }));
  return stepsOf(command({ status, steps })).map((step) => step.tone).join(' ');
}

test('a queued command waits at the first station', () => expect(tones('QUEUED', ['QUEUED'])).toBe('now open open open'));
test('a sent command is at the second', () => expect(tones('SENT', ['QUEUED', 'SENT'])).toBe('done now open open'));
test('a command that succeeded went all the way, also without steps between', () =>
  expect(tones('SUCCEEDED', ['QUEUED', 'SENT', 'SUCCEEDED'])).toBe('done done done done'));
test('an expired command failed to be sent', () => expect(tones('EXPIRED', ['QUEUED', 'EXPIRED'])).toBe('done failed open open'));
test('a rejected command failed at the device', () => expect(tones('REJECTED', ['QUEUED', 'SENT', 'REJECTED'])).toBe('done done failed open'));
test('a command that failed while it ran never was done', () =>
  expect(tones('FAILED', ['QUEUED', 'SENT', 'IN_PROGRESS', 'FAILED'])).toBe('done done done failed'));
