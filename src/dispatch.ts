import {Config, loadHelpClass, settings} from '@oclif/core'
import {errnoOf} from './errors.js'
import {packageRoot} from './host/paths.js'
import {findCommand} from './ui/command-line.js'
import {separateGuestCommand, splitAtSeparator} from './ui/guest-arguments.js'
import {describeFailure, failureJson, renderFailure} from './ui/render-error.js'

const HELP_FLAGS: readonly string[] = ['--help', '-h']

/** Runs one command line, without `node` and the script; sets `process.exitCode`, never rejects. */
export async function dispatchCommandLine(typed: readonly string[]): Promise<void> {
  const argv = separateGuestCommand(typed[0] === 'help' ? [...typed.slice(1), '--help'] : typed)
  tolerateClosedOutput()
  process.on('uncaughtException', (error) => {
    tell(error, argv)
    process.exit()
  })
  try {
    await dispatch(argv)
  } catch (error) {
    tell(error, argv)
  }
}

async function dispatch(argv: readonly string[]): Promise<void> {
  // Would look for the TypeScript sources behind the build whenever NODE_ENV says development or test.
  settings.enableAutoTranspile = false
  const config = await Config.load({root: packageRoot()})
  if (argv[0] === '--version') {
    process.stdout.write(`${config.userAgent}\n`)
    return
  }
  const words = splitAtSeparator(argv).own.filter((argument) => !HELP_FLAGS.includes(argument))
  const wantsHelp = words.length < splitAtSeparator(argv).own.length
  if (words.length === 0) return showHelp(config, [])
  const found = findCommand(config, wantsHelp ? words : argv)
  if (wantsHelp || found.kind === 'topic') return showHelp(config, [found.id])
  await config.runCommand(found.id, [...found.rest], found.command)
}

async function showHelp(config: Config, subject: string[]): Promise<void> {
  const Help = await loadHelpClass(config)
  await new Help(config, config.pjson.oclif.helpOptions).showHelp(subject)
}

/** Tells of a failure that no command could: before one was found, or after it had returned. */
function tell(error: unknown, argv: readonly string[]): void {
  const {own} = splitAtSeparator(argv)
  const failure = describeFailure(error)
  process.exitCode = failure.exitCode
  if (own.includes('--json')) process.stdout.write(`${JSON.stringify(failureJson(failure), null, 2)}\n`)
  else {
    const version = `Node.js ${process.version}`
    process.stderr.write(renderFailure(failure, {verbose: own.includes('--verbose'), version}))
  }
}

/** `envs list | head -1`: the reader has seen enough, and what the command does is still done. */
function tolerateClosedOutput(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error) => {
      if (errnoOf(error) !== 'EPIPE') throw error
    })
}
