import type {Ran} from './dialogue.js'
import type {Trial} from './trials.js'

/** The steps of a trial, in this order; hosts/guest/steps has the commands. */
export const STEPS = ['doctor', 'create', 'run', 'apt', 'undo', 'clone', 'export', 'guest', 'rm'] as const
type Step = (typeof STEPS)[number]

/** Columns of the table: the steps, and what else was seen. */
export const COLUMNS = [
  ...([
    'doctor',
    'checks',
    'ticket',
    'create',
    'run',
    'apt',
    'undo',
    'clone',
    'export',
    'guest',
    'rm',
  ] as const),
  ...(['label', 'log', 'words', 'remedies'] as const),
] as const
export type Column = (typeof COLUMNS)[number]

/** The findings of a trial, a text a column; `-` for what was not tried. */
export type Row = {
  readonly host: string
  readonly scene: string
  readonly account: string
  readonly engine: string
  readonly cells: Readonly<Record<Column, string>>
}

const NOTHING = '-'

/** Returns the row of a trial. */
export function rowOf(host: string, {scene, account, engine, steps, log}: Trial): Row {
  const plain = Object.fromEntries(STEPS.map((step) => [step, cellOf(steps.get(step))])) as Record<
    Step,
    string
  >
  const doctor = parseJson(steps.get('doctor')?.stdout)
  const created = parseJson(steps.get('create')?.stdout)
  return {
    host,
    scene,
    account,
    engine,
    cells: {
      ...plain,
      doctor: withWords(plain.doctor, [doctor?.['engine']]),
      create: withWords(plain.create, [created?.['identity'], created?.['storage']]),
      checks: checksOf(doctor),
      ticket: ticketOf(doctor),
      label: labelOf(steps.get('run')),
      log: kernelWords(log),
      words: saidOf(steps, messageOf),
      remedies: saidOf(steps, remedyOf),
    },
  }
}

/** The status, and the code of the error. */
function cellOf(ran: Ran | undefined): string {
  if (ran === undefined) return NOTHING
  const code = errorOf(ran)?.['code']
  return ran.status === 0 || typeof code !== 'string' ? String(ran.status) : `${ran.status} ${code}`
}

function withWords(cell: string, words: readonly unknown[]): string {
  const texts = words.filter((word) => typeof word === 'string')
  return [cell, ...texts].join(' ')
}

/** Checks that did not pass, but for those of servers: a host of the trials has no network. */
function checksOf(doctor: Json | undefined): string {
  const checks = listOf(doctor?.['checks']).filter(({id}) => id !== 'mirrors' && id !== 'clock')
  const words = (['fail', 'warn'] as const).flatMap((status) => {
    const ids = checks.filter((check) => check['status'] === status).map(({id}) => String(id))
    return ids.length === 0 ? [] : [`${status}: ${ids.join(', ')}`]
  })
  return words.join('; ') || NOTHING
}

/** The programs that profiles of the ticket name, and the profiles that its steps take out of force. */
function ticketOf(doctor: Json | undefined): string {
  const ticket = doctor?.['ticket']
  if (typeof ticket !== 'object' || ticket === null) return NOTHING
  const steps = listOf((ticket as Json)['requests']).flatMap((request) => {
    const lines = request['steps']
    return Array.isArray(lines) ? lines.map(String) : []
  })
  const text = steps.join('\n')
  const named = [...text.matchAll(/^\s*profile \S+ (\/[^\s{]+)/gm)].map(([, path]) => path ?? '')
  const disabled = [...text.matchAll(/\/etc\/apparmor\.d\/disable\/(\S+)/g)].map(
    ([, name]) => `without ${name}`,
  )
  return [...named, ...new Set(disabled)].join(', ') || steps[0] || NOTHING
}

/** AppArmor's label of a program in the guest. */
function labelOf(run: Ran | undefined): string {
  return run?.status === 0 ? run.stdout.trim() || NOTHING : NOTHING
}

/** The complaints of overlayfs, without names of layers; denials of AppArmor are too many and too different. */
function kernelWords(log: string): string {
  const words = log
    .split('\n')
    .flatMap((line) => /overlayfs: .*/.exec(line)?.[0].replaceAll(/'[^']*'/g, "'…'") ?? [])
  return [...new Set(words)].join(' | ') || NOTHING
}

/** The texts of failed steps: `clone: text`, each text once. */
function saidOf(steps: ReadonlyMap<string, Ran>, textOf: (ran: Ran) => string): string {
  const failed = new Map<string, string[]>()
  for (const step of STEPS) {
    const ran = steps.get(step)
    if (ran === undefined || ran.status === 0 || step === 'doctor') continue
    const text = textOf(ran)
    if (text !== '') failed.set(text, [...(failed.get(text) ?? []), step])
  }
  return [...failed].map(([text, names]) => `${names.join(', ')}: ${text}`).join(' | ') || NOTHING
}

/** Of an error of envs, else the last line that was printed. */
function messageOf(ran: Ran): string {
  const message = errorOf(ran)?.['message']
  const ofEnvs = /^envs: (?!warning: )(.*)/m.exec(ran.stderr)?.[1]
  const printed = `${ran.stdout}\n${ran.stderr}`.trim().split('\n').at(-1)
  return singleLine(typeof message === 'string' ? message : (ofEnvs ?? printed ?? ''))
}

/** The next steps of an error of envs. */
function remedyOf(ran: Ran): string {
  const suggestions = errorOf(ran)?.['suggestions']
  if (Array.isArray(suggestions)) return singleLine(suggestions.join(' / '))
  const [, below = ''] = /^envs: (?!warning: ).*\n((?: {2}.*\n?)*)/m.exec(ran.stderr) ?? []
  return singleLine(below.trim().split('\n').join(' / '))
}

/** Without what differs from run to run: process ids, and names that were made for the occasion. */
function singleLine(text: string): string {
  return text
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\b[0-9a-f]{8,}\b/g, '…')
    .replaceAll(/\b(PID|pid) \d+/g, '$1 …')
    .replaceAll('|', '/')
    .trim()
}

type Json = Readonly<Record<string, unknown>>

function errorOf({stdout}: Ran): Json | undefined {
  const error = parseJson(stdout)?.['error']
  return typeof error === 'object' && error !== null ? (error as Json) : undefined
}

function parseJson(text: string | undefined): Json | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '')
    return typeof value === 'object' && value !== null ? (value as Json) : undefined
  } catch {
    return undefined
  }
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'object' && each !== null) : []
}
