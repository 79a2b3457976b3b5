import {defineError, ExitCode} from '../../errors.js'

/** Nothing in the environment has written a log that envs could show. */
export const noLogError = defineError('ENVS_NO_LOG', ExitCode.notFound, {
  message: 'There is no log of "{environment}".',
  nextStep: [
    'An environment has logs of programs in the background (envs run --detach), and of services where an init runs.',
    'See its services and programs: envs services {environment}',
  ],
})

/** No unit or program of that name has a log. */
export const unitUnknownError = defineError('ENVS_NO_LOG', ExitCode.notFound, {
  message: 'There is no log of "{unit}" in "{environment}": no program has that name, and no init runs.',
  nextStep: 'See its services and programs: envs services {environment}',
})
