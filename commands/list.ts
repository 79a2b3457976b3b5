import {EnvsCommand} from '../src/cli/command.js'
import {Flags} from '../src/cli/parse.js'
import {printEnvironments} from '../src/cli/views/list.js'
import {type EnvironmentSummary, listEnvironments} from '../src/environments/list.js'

export default class List extends EnvsCommand {
  static override summary = 'List the environments.'
  static override description =
    `SIZE is the space that removing the environment frees. SHARED is the size of the layers that it shares with its \
image or with other environments. With --quiet: names only, one a line.`
  static override aliases = ['ls']
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = {
    all: Flags.boolean({
      char: 'a',
      description: 'also ended environments of envs try',
    }),
  }

  async run(): Promise<EnvironmentSummary[]> {
    const {flags} = await this.parse(List)
    const host = this.openHost()
    const environments = await listEnvironments(host, {all: flags.all})
    if (!this.jsonEnabled()) printEnvironments(environments, {host, quiet: this.quiet})
    return environments
  }
}
