import {type EnvironmentPath, environmentPath} from '../src/environments/path.js'
import {optionalNameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'

export default class Path extends EnvsCommand {
  static override summary = "Show where an environment's files are."
  static override description =
    `With storage directory the folder is the guest's root. With overlay it holds what the environment itself has changed \
since its last snapshot, and --json names the folders below it too, the lowest first; the whole of it is seen from the \
inside (envs run) or in an export. While the environment runs nothing there may be changed. Treat what is in them as the \
guest's word: a link there may lead anywhere.`
  static override examples = [
    '<%= config.bin %> <%= command.id %> play',
    'ls "$(<%= config.bin %> <%= command.id %> play)/etc"',
  ]
  static override args = {name: optionalNameArg()}

  async run(): Promise<EnvironmentPath> {
    const {args} = await this.parse(Path)
    const found = await environmentPath(this.openHost(), args.name)
    this.print(found.path)
    return found
  }
}
