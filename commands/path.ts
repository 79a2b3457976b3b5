import {EnvsCommand} from '../src/cli/command.js'
import {optionalNameArg} from '../src/cli/flags.js'
import {type EnvironmentPath, environmentPath} from '../src/environments/show.js'

export default class Path extends EnvsCommand {
  static override summary = "Show the folder of an environment's files."
  static override description =
    `With storage directory, the folder is the guest's root. With storage overlay, it is the upper layer: changes \
since the last snapshot; --json also lists the layers below, the lowest first. For the whole tree, use envs run or \
envs export. Do not change files there while the environment runs, and do not trust them: the guest can place links \
to anywhere.`
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
