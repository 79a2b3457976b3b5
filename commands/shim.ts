import {EnvsCommand} from '../src/cli/command.js'
import {forceFlag, nameArg, sessionFlags} from '../src/cli/flags.js'
import {Args, Flags} from '../src/cli/parse.js'
import type {InstalledShimsResult, RemovedResult} from '../src/environments/results.js'
import {areShimsInPath, installShims, removeShims} from '../src/environments/shims.js'
import {UsageError} from '../src/errors.js'
import {sessionFields} from '../src/sandbox/session-options.js'

export default class Shim extends EnvsCommand {
  static override summary = 'Make programs of an environment commands of the host.'
  static override description =
    `Writes a small script for each COMMAND to ~/.local/bin. The script runs COMMAND as envs run does: same \
arguments, input, output and exit status. COMMAND is a name, or a path in the environment. With --volume, the command \
sees a folder of the host, and starts in your working folder if that is inside the shared folder. With --remove: \
removes the scripts, all of the environment if no COMMAND is given.`
  static override usage = 'shim NAME COMMAND... [FLAG...]'
  static override strict = false
  static override examples = [
    '<%= config.bin %> <%= command.id %> play jq node',
    '<%= config.bin %> <%= command.id %> play jq --remove',
  ]
  static override args = {
    name: nameArg(),
    commands: Args.string({description: 'programs of the environment', ignoreStdin: true}),
  }
  static override flags = {
    force: forceFlag('replace a file that is not a shim'),
    remove: Flags.boolean({description: 'remove shims of the environment'}),
    ...sessionFlags('volume'),
  }

  async run(): Promise<InstalledShimsResult | RemovedResult> {
    const {argv, args, flags} = await this.parse(Shim)
    const commands = argv.slice(1).map(String)
    if (flags.remove) return this.#remove(args.name, commands)
    if (commands.length === 0) throw new UsageError('No command was given.', ['envs shim play jq'])
    const host = this.openHost()
    const shims = await installShims(host, args.name, {
      commands,
      volumes: sessionFields(flags).volumes,
      force: flags.force,
    })
    for (const {name, environment, replaced} of shims) {
      const before = replaced === undefined ? '' : ` Before, it ran in ${replaced}.`
      this.note(`${name} runs in ${environment} now.${before}`)
    }
    if (!areShimsInPath(host))
      this.warn(`${host.paths.programs} is not in your PATH: add it, or call the shims by their path.`)
    return {shims: shims.map(({name, environment, command, path}) => ({name, environment, command, path}))}
  }

  async #remove(name: string, commands: readonly string[]): Promise<RemovedResult> {
    const removed = await removeShims(this.openHost(), name, commands)
    for (const shim of removed) this.note(`Removed the shim ${shim.name}.`)
    return {removed: removed.map((shim) => shim.name)}
  }
}
