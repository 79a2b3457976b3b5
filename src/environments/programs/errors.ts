import {defineError, ExitCode} from '../../errors.js'

/** A program of the name runs already. */
export const programRunningError = defineError('ENVS_PROGRAM_RUNNING', ExitCode.conflict, {
  message: 'The program "{program}" runs already in "{environment}".',
  nextStep: [
    'To run a second one, give another name with --name.',
    'To stop the first: envs services {environment} stop {program}',
  ],
})

/** A program did not start, and nothing else told why. */
export const programFailedError = defineError('ENVS_PROGRAM_FAILED', ExitCode.guestNotStarted, {
  message: 'The program "{program}" did not start in "{environment}".',
  nextStep: 'See what it has printed: envs logs {environment} --unit {program}',
})

/** A program does not end, not even by SIGKILL. */
export const programStuckError = defineError('ENVS_PROGRAM_STUCK', ExitCode.conflict, {
  message: 'The program "{program}" in "{environment}" has not ended: process {pid} still keeps it.',
  nextStep: 'End the whole environment: envs stop {environment} --force',
})

/** A program that runs is not removed. */
export const programNotEndedError = defineError('ENVS_PROGRAM_NOT_ENDED', ExitCode.conflict, {
  message: 'The program "{program}" is not removed from "{environment}": it has not ended.',
  nextStep: 'Stop it first: envs services {environment} stop {program}',
})

/** Nobody started a program of that name, or it was removed. */
export const programNotFoundError = defineError('ENVS_PROGRAM_NOT_FOUND', ExitCode.notFound, {
  message: '"{environment}" has no program "{program}" of envs run --detach.',
  nextStep: 'See what it has: envs services {environment}',
})
