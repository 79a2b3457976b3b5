import {defineError, ExitCode} from '../../errors.js'

export const guestRefusedError = defineError('ENVS_GUEST_REFUSED', ExitCode.conflict, {
  message: 'Could not ask the init of "{name}" by {command}: {reason}.',
  nextStep: 'See what it says: envs run {name} -- systemctl status',
})

export const serviceActionFailedError = defineError('ENVS_SERVICE_ACTION_FAILED', ExitCode.conflict, {
  message: 'Could not {action} {units} in "{name}": {program} ended with status {status}.',
  nextStep: 'See what the service printed: envs services {name} log UNIT',
})

export const serviceNotFoundError = defineError('ENVS_SERVICE_NOT_FOUND', ExitCode.notFound, {
  message: '"{name}" has no service "{unit}".',
  nextStep: 'See the services that it has: envs services {name}',
})

export const serviceNeedsInitError = defineError('ENVS_SERVICE_NEEDS_INIT', ExitCode.conflict, {
  message: 'Could not {action} "{unit}" in "{name}": it has no init script, and no init runs there.',
  nextStep: 'Have an init start it, at the next start of the environment: envs set {name} init=services',
})
