import type {Check} from '../host/doctor/check.js'
import type {Ticket} from '../host/doctor/ticket.js'

const MARKS = {pass: 'ok  ', warn: 'warn', fail: 'FAIL'} as const

/** What `envs doctor` prints of its checks, line by line. */
export function renderChecks(checks: readonly Check[]): string[] {
  return checks.flatMap(({status, title, evidence, cost, remedy}) => [
    `${MARKS[status]}  ${title}: ${evidence}`,
    ...(cost === null ? [] : [`      means: ${cost}`]),
    ...(remedy === null ? [] : [`      remedy: ${remedy}`]),
  ])
}

/** A letter to an administrator, to be copied whole; it names nobody. */
export function renderTicket({requests}: Ticket): string[] {
  return [
    'To send to an administrator of this host (each part helps on its own):',
    ...requests.flatMap(({evidence, purpose, steps, opens}, index) => [
      '',
      `${index + 1}. Seen: ${evidence}`,
      `   Without it: ${purpose}`,
      '   To be done as root:',
      ...steps.flatMap((step) => step.split('\n')).map((line) => `     ${line}`),
      `   What this allows: ${opens}`,
    ]),
  ]
}
