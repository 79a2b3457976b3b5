import {SessionCommand} from '../src/cli/command.js'
import {dryRunFlag, nameArg, sessionFlags} from '../src/cli/flags.js'
import {printStartNotice, splitAtSeparator} from '../src/cli/session-line.js'
import {previewSession, type SessionPreview} from '../src/environments/session/run.js'
import {runTypedSession, withSettings} from '../src/environments/session/typed-session.js'
import {UsageError} from '../src/errors.js'
import {formatCommandLine} from '../src/host/argv/command-line.js'
import {sessionFields} from '../src/sandbox/session-options.js'

export default class Run extends SessionCommand {
  static override summary = 'Run one command in an environment.'
  static override description =
    `Everything after NAME belongs to the command; flags of envs stand before NAME. The exit status is the command's: \
125 if envs failed before the command ran, 126 if the command can't be executed, 127 if it was not found, 128+n if \
signal n ended it.`
  static override usage = 'run [FLAG...] NAME [--] COMMAND [ARGUMENT...]'
  static override aliases = ['exec']
  static override examples = [
    '<%= config.bin %> <%= command.id %> play apt-get update',
    '<%= config.bin %> <%= command.id %> --user postgres --volume ./dump:/dump:ro play -- psql -f /dump/all.sql',
  ]
  static override args = {name: nameArg()}
  static override flags = {...sessionFlags(), 'dry-run': dryRunFlag()}

  async run(): Promise<SessionPreview | undefined> {
    const {own, guest} = splitAtSeparator(this.argv)
    const {args, flags} = await this.parse(Run, own)
    if (guest.length === 0) throw new UsageError('No command was given.', [`envs enter ${args.name}`])
    const host = this.openHost()
    const session = {name: args.name, command: guest, fields: sessionFields(flags)}
    if (flags['dry-run'])
      return this.#preview(await previewSession(host, args.name, await withSettings(host, session)))
    process.exitCode = await runTypedSession(host, session, {onNotice: printStartNotice})
    return undefined
  }

  #preview(preview: SessionPreview): SessionPreview {
    this.print(formatCommandLine(preview.anchor.command))
    this.print(formatCommandLine(preview.anchor.options))
    this.print(formatCommandLine(preview.session))
    return preview
  }
}
