import {existsSync} from 'node:fs'
import {join} from 'node:path'
import {UsageError} from '../../errors.js'
import type {Host} from '../../host/host.js'
import {templatePath, templateText} from '../../host/paths.js'
import {ended, requirePerl, start, started} from '../../host/process.js'
import {unitName} from '../../rootfs/tree-services.js'
import {readLiveAnchor} from '../../sandbox/anchor-state.js'
import {forwardSignals} from '../../sandbox/session.js'
import {chooseEnvironment, type Environment} from '../../store/environments.js'
import {initOf} from '../../store/record.js'
import {listPrograms, programFiles} from '../programs/program.js'
import {runTypedSession} from '../session/typed-session.js'
import {noLogError, unitUnknownError} from './errors.js'

export type LogRequest = {
  /** A unit, or a program of `envs run --detach`; undefined for all. */
  readonly unit: string | undefined
  readonly since: Date | undefined
  /** Whether to wait for more lines. */
  readonly follows: boolean
}

/** Where a log is: files of the host, or a command in the environment that prints it. */
type LogSource =
  | {readonly kind: 'files'; readonly files: readonly string[]}
  | {readonly kind: 'guest'; readonly name: string; readonly command: readonly string[]}

/**
 * Prints a log on standard output: of a program in the background, of the journal or the supervisor of a booted environment, or the
 * console of one that is down.
 *
 * @param text - Name of the environment; undefined for the only one of the store.
 * @returns The exit status of the program that printed it.
 * @throws {@link noLogError} @throws {@link unitUnknownError} @throws {UsageError}
 */
export async function printLog(host: Host, text: string | undefined, request: LogRequest): Promise<number> {
  const environment = await chooseEnvironment(host.paths, text)
  const source = await findLog(environment, request)
  if (source.kind === 'guest') {
    const {name, command} = source
    const fields = {user: undefined, workingFolder: '/', variables: [], volumes: []}
    return runTypedSession(host, {name, command, fields}, {onNotice: () => {}})
  }
  const words = [requirePerl(host), templatePath(SHOW_LOGS), ...showWords(request), ...source.files]
  const child = start(words, {stdio: ['ignore', 'inherit', 'inherit']})
  await started(child)
  const stopForwarding = forwardSignals(child, {interrupts: false})
  try {
    return (await ended(child)).status
  } finally {
    stopForwarding()
  }
}

const SHOW_LOGS = 'guest/show-logs.pl'

async function findLog(environment: Environment, request: LogRequest): Promise<LogSource> {
  const {name, files, record} = environment
  const {unit} = request
  const programs = await listPrograms(files.run)
  const program = programs.find((each) => each.name === unit)
  if (program !== undefined) return {kind: 'files', files: [programFiles(files.run, program.name).log]}
  const init = initOf(record)
  if (init === 'none') {
    if (unit !== undefined)
      throw unitUnknownError({unit, environment: name}, {suggestions: [`envs services ${name}`]})
    const [only] = programs
    if (only === undefined) throw noLogError({environment: name})
    if (programs.length > 1)
      throw new UsageError(
        `Several programs have a log in "${name}": ${programs.map((each) => each.name).join(', ')}.`,
        [`Name one of them: envs logs ${name} --unit ${only.name}`],
      )
    return {kind: 'files', files: [programFiles(files.run, only.name).log]}
  }
  if (readLiveAnchor(files.run) === undefined) return consoleLog(environment)
  const command = init === 'systemd' ? journalCommand(request) : await supervisorCommand(request)
  return {kind: 'guest', name, command}
}

/** Returns what an environment that is down has printed on its console. */
function consoleLog({name, files}: Environment): LogSource {
  const console = join(files.run, 'console.log')
  if (!existsSync(console))
    throw noLogError({environment: name}, {suggestions: [`Start it first: envs start ${name}`]})
  return {kind: 'files', files: [console]}
}

function journalCommand({unit, since, follows}: LogRequest): string[] {
  return [
    ...['journalctl', '--no-pager', '--quiet'],
    ...(unit === undefined ? [] : [`--unit=${unit}`]),
    ...(since === undefined ? [] : [`--since=@${Math.floor(since.getTime() / 1000)}`]),
    ...(follows ? ['--follow', '--lines=all'] : []),
  ]
}

/** Where templates/guest/services/Logs.pm writes. */
const SUPERVISOR_LOGS = '/var/log/services'

/** Returns the command that shows logs of the supervisor: its perl is in the guest. */
async function supervisorCommand(request: LogRequest): Promise<string[]> {
  const shown =
    request.unit === undefined
      ? [`${SUPERVISOR_LOGS}/*.log`]
      : [`${SUPERVISOR_LOGS}/${globOfUnit(request.unit)}.log`]
  const script = `@ARGV = (@ARGV[0, 1], map { glob } @ARGV[2 .. $#ARGV]);\n${await templateText(SHOW_LOGS)}`
  return ['/usr/bin/perl', '-e', script, ...showWords(request), ...shown]
}

/** For glob of Perl: of the characters of a unit's name, it treats the backslash alone in its own way. @see systemd.unit(5) */
function globOfUnit(text: string): string {
  const name = unitName(text)
  if (name === undefined) throw new UsageError(`"${text}" is not a valid name of a unit.`)
  return name.replaceAll('\\', '\\\\')
}

function showWords({since, follows}: LogRequest): string[] {
  return [since === undefined ? '' : `${since.toISOString().slice(0, 19)}Z`, follows ? '1' : '0']
}
