import {type CommandTable, findCommand} from './ui/command-line.js'
import {separateGuestCommand, splitAtSeparator} from './ui/guest-arguments.js'
import {writeOutput} from './ui/output.js'
import {tellFailure} from './ui/render-error.js'
import {versionLine} from './ui/version-line.js'

const HELP_FLAGS: readonly string[] = ['--help', '-h']

/** Runs one command line, without `node` and the script; sets `process.exitCode`, never rejects. */
export async function dispatchCommandLine(typed: readonly string[], table: CommandTable): Promise<void> {
  const argv = separateGuestCommand(typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed)
  process.on('uncaughtException', (error) => {
    tell(error, argv)
    process.exit()
  })
  try {
    await dispatch(argv, table)
  } catch (error) {
    tell(error, argv)
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
    const {tellFirstSteps} = await import('./first-steps.js')
    return tellFirstSteps()
  }
  const found = findCommand(table, wantsHelp ? words : argv)
  const id = found.kind === 'topic' ? found.id : found.entry.id
  if (wantsHelp || found.kind === 'topic') return help([id])
  if (id === 'list') {
    const {runListLine} = await import('./ui/environment-list.js')
    if (await runListLine(found.rest)) return
  }
  const {default: Command} = await found.entry.load()
  await Command.start(found.rest, id)
}

/** Help is the library's, which takes longer to load than most commands take to run. */
async function help(subject: readonly string[]): Promise<void> {
  const {showHelp} = await import('./ui/help.js')
  await showHelp(subject)
}

/** Tells of a failure that no command could: before one was found, or after it had returned. */
function tell(error: unknown, argv: readonly string[]): void {
  const {own} = splitAtSeparator(argv)
  tellFailure(error, {json: own.includes('--json'), verbose: own.includes('--verbose')})
}
