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

/** `envs start` of an environment in which nothing would start. */
export const nothingToStartError = defineError('ENVS_NO_INIT', ExitCode.conflict, {
  message: 'There is nothing to start in "{environment}": it has no init.',
  nextStep: [
    'Have an init start its services: envs set {environment} init=systemd, or init=services',
    'To start a program in the background: envs run --detach {environment} -- COMMAND',
  ],
})

/** The init runs, and has not come to an end of its start. */
export const notReadyError = defineError('ENVS_NOT_READY', ExitCode.host, {
  message: 'The environment "{environment}" is running, but not ready after {seconds} s: {reason}.',
  nextStep: [
    'See its services: envs services {environment}',
    'See what they printed: envs logs {environment}',
    'To wait longer: envs start {environment} --timeout 10m',
  ],
})

/** A unit that `--wait` names has failed, or does not exist. */
export const unitFailedError = defineError('ENVS_UNIT_FAILED', ExitCode.host, {
  message: 'The unit "{unit}" in "{environment}" is {state}.',
  nextStep: ['See what it printed: envs logs {environment} --unit {unit}', 'envs services {environment}'],
})

/** The host has no program that starts something at its boot for an ordinary user. */
export const autostartUnavailableError = defineError('ENVS_NO_AUTOSTART', ExitCode.host, {
  message:
    'Could not have "{environment}" started with the host: no user manager of systemd answers here, and there is no crontab(1).',
  nextStep: [
    'Log in as the user itself, not by su or sudo: the user manager belongs to a login.',
    'Or ask an administrator to install the package cron.',
    'To start it by hand: envs start {environment}',
  ],
})

/** A program of the host refused a part of an autostart. */
export const autostartFailedError = defineError('ENVS_AUTOSTART_FAILED', ExitCode.host, {
  message: 'Could not change how "{environment}" starts with the host: {program}: {reason}.',
  nextStep: 'To start it by hand: envs start {environment}',
})

/** logind lets no ordinary user have a user manager without a login; the unit is enabled nevertheless. */
export const lingerRefusedError = defineError('ENVS_LINGER_REFUSED', ExitCode.host, {
  message:
    'The environment "{environment}" starts when you log in, but not at boot: logind refuses: {reason}.',
  nextStep: 'Ask an administrator to run: loginctl enable-linger {user}',
})
