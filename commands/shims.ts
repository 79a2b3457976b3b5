import {EnvsCommand} from '../src/cli/command.js'
import {Args} from '../src/cli/parse.js'
import {type InstalledShim, listShims} from '../src/environments/shims.js'

export default class Shims extends EnvsCommand {
  static override summary = 'List the shims: programs of environments as commands of the host.'
  static override description = 'envs shim creates and removes shims. With --quiet: names only, one a line.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> play --json',
  ]
  static override args = {
    name: Args.string({description: 'name of an environment [default: all]', ignoreStdin: true}),
  }

  async run(): Promise<InstalledShim[]> {
    const {args} = await this.parse(Shims)
    const shims = await listShims(this.openHost(), args.name)
    if (this.quiet) {
      for (const {name} of shims) this.print(name)
      return shims
    }
    if (shims.length === 0) {
      const none = args.name === undefined ? 'There is no shim yet.' : `${args.name} has no shim.`
      this.note(`${none} Make one: envs shim ${args.name ?? 'play'} jq`)
    }
    this.printTable(shims, [
      {title: 'name', show: ({name}) => name},
      {title: 'environment', show: ({environment}) => environment},
      {title: 'command', rank: 2, show: ({command}) => command},
      {title: 'file', show: ({path}) => path},
    ])
    return shims
  }
}
