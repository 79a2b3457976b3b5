import {hasBytes} from '../host/argv/bytes.js'
import {notUtf8Error} from '../host/errors.js'
import {writeOutput} from './output.js'
import {type CommandMatch, type CommandTable, findCommand} from './registry.js'
import {reportFailure, versionLine} from './render-error.js'
import {separateGuestCommand, splitAtSeparator} from './session-line.js'

const HELP_FLAGS: readonly string[] = ['--help', '-h']

/** Runs one command line, without `node` and the script; sets `process.exitCode`, never rejects. */
export async function dispatchCommandLine(typed: readonly string[], table: CommandTable): Promise<void> {
  const argv = separateGuestCommand(typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed)
  process.on('uncaughtException', (error) => {
    reportError(error, argv)
    process.exit()
  })
  try {
    await dispatch(argv, table)
  } catch (error) {
    reportError(error, argv)
  }
}

async function dispatch(argv: readonly string[], table: CommandTable): Promise<void> {
  if (argv[0] === '--version') {
    writeOutput(`${versionLine()}\n`)
    return
  }
  const words = splitAtSeparator(argv).own.filter((argument) => !HELP_FLAGS.includes(argument))
  const wantsHelp = words.length < splitAtSeparator(argv).own.length
  if (words.length === 0) {
    await help([])
    if (wantsHelp) return
    const {printFirstSteps} = await import('./first-steps.js')
    return printFirstSteps()
  }
  const found = await findOrExplain(table, wantsHelp ? words : argv)
  const id = found.kind === 'topic' ? found.id : found.entry.id
  if (wantsHelp || found.kind === 'topic') return help([id])
  if (id === 'list') {
    const {runListLine} = await import('./views/list.js')
    if (await runListLine(found.rest)) return
  }
  if (!SESSIONS.includes(id)) refuseBytes(found.rest)
  const {default: Command} = await found.entry.load()
  await Command.start(found.rest, id)
}

/** @throws As {@link findCommand}; for the name of an environment, with the command that enters it. */
async function findOrExplain(table: CommandTable, argv: readonly string[]): Promise<CommandMatch> {
  try {
    return findCommand(table, argv)
  } catch (error) {
    const [first = ''] = argv
    if (table.topics.includes(first)) throw error
    const {orEnvironment} = await import('./first-steps.js')
    throw await orEnvironment(error, first)
  }
}

/** Commands that pass their arguments on to a guest. */
const SESSIONS: readonly string[] = ['run', 'enter', 'try']

/** @throws {@link notUtf8Error} */
function refuseBytes(words: readonly string[]): void {
  const text = words.find(hasBytes)
  if (text !== undefined) throw notUtf8Error({text})
}

/** Shows oclif's help, which takes longer to load than most commands to run. */
async function help(subject: readonly string[]): Promise<void> {
  const {showHelp} = await import('./help.js')
  await showHelp(subject)
}

/** Reports a failure outside of a command: before one was found, or after it returned. */
function reportError(error: unknown, argv: readonly string[]): void {
  const {own} = splitAtSeparator(argv)
  reportFailure(error, {json: own.includes('--json'), verbose: own.includes('--verbose')})
}
