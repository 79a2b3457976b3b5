import {SessionCommand} from '../src/cli/command.js'
import {dryRunFlag, optionalNameArg, sessionFlags} from '../src/cli/flags.js'
import {Flags} from '../src/cli/parse.js'
import {printStartNotice, splitAtSeparator} from '../src/cli/session-line.js'
import {RESTART_POLICIES} from '../src/environments/programs/program.js'
import type {StartedProgramResult} from '../src/environments/programs/results.js'
import {startProgram} from '../src/environments/programs/start.js'
import {withImageCommand} from '../src/environments/session/image-command.js'
import {previewSession, type SessionPreview} from '../src/environments/session/run.js'
import {runTypedSession, withSettings} from '../src/environments/session/typed-session.js'
import {formatCommandLine} from '../src/host/argv/command-line.js'
import {sessionPlace} from '../src/project/session.js'
import {sessionFields} from '../src/sandbox/session-options.js'

export default class Run extends SessionCommand {
  static override summary = 'Run one command in an environment.'
  static override description =
    `Everything after NAME belongs to the command; flags of envs stand before NAME. Without NAME, in a \
folder with an envs.toml or below it: in the project's environment, in the folder that you stand in; the command follows --. The exit status is the command's: \
125 if envs failed before the command ran, 126 if the command can't be executed, 127 if it was not found, 128+n if \
signal n ended it. Without COMMAND: what the image of the environment runs by itself, as the user that the image names.

With --detach: COMMAND continues in the background as a program of the environment, with its input empty and its \
output in a log of a few megabytes (envs logs), until it ends or somebody stops it (envs services NAME stop PROGRAM, \
envs stop NAME). Envs returns as soon as COMMAND was executed. Before each restart it waits, from one second to a \
minute.`
  static override usage = 'run [FLAG...] NAME [--] [COMMAND [ARGUMENT...]]'
  static override aliases = ['exec']
  static override examples = [
    '<%= config.bin %> <%= command.id %> play apt-get update',
    '<%= config.bin %> <%= command.id %> --user postgres --volume ./dump:/dump:ro play -- psql -f /dump/all.sql',
    '<%= config.bin %> <%= command.id %> --detach --restart on-failure play -- python3 -m http.server 8000',
  ]
  static override args = {
    name: optionalNameArg("name of the environment; in a project, it may be left out for the project's own"),
  }
  static override flags = {
    ...sessionFlags(),
    'dry-run': dryRunFlag(),
    entrypoint: Flags.boolean({
      description: "put the entrypoint of the environment's image in front of COMMAND",
    }),
    detach: Flags.boolean({char: 'd', description: 'keep it running in the background'}),
    name: Flags.string({
      description: 'name of the program, with --detach [default: the command]',
      helpValue: 'PROGRAM',
      dependsOn: ['detach'],
    }),
    restart: Flags.string({
      description: 'when to start it again, with --detach [default: no]',
      options: [...RESTART_POLICIES],
      dependsOn: ['detach'],
    }),
  }

  async run(): Promise<SessionPreview | StartedProgramResult | undefined> {
    const {own, guest} = splitAtSeparator(this.argv)
    const {args, flags} = await this.parse(Run, own)
    const host = this.openHost()
    const {entrypoint} = flags
    const {name, fields: typed} = await sessionPlace(host, args.name, sessionFields(flags))
    const {command, fields} = await withImageCommand(host, name, {command: guest, fields: typed, entrypoint})
    const session = {name, command, fields}
    if (flags['dry-run'])
      return this.#preview(await previewSession(host, name, await withSettings(host, session)))
    if (flags.detach) {
      const restart = RESTART_POLICIES.find((policy) => policy === flags.restart) ?? 'no'
      return this.#detach(name, {name: flags.name, command, fields, restart})
    }
    process.exitCode = await runTypedSession(host, session, {onNotice: printStartNotice})
    return undefined
  }

  async #detach(name: string, request: Parameters<typeof startProgram>[2]): Promise<StartedProgramResult> {
    const started = await startProgram(this.openHost(), name, request)
    const {environment, program} = started
    this.note(`The program "${program}" runs in ${environment}.`)
    this.note(`  Its output: envs logs ${environment} --unit ${program}`)
    this.note(`  To stop it: envs services ${environment} stop ${program}`)
    return started
  }

  #preview(preview: SessionPreview): SessionPreview {
    this.print(formatCommandLine(preview.anchor.command))
    this.print(formatCommandLine(preview.anchor.options))
    this.print(formatCommandLine(preview.session))
    return preview
  }
}
