import {EnvsCommand} from '../src/cli/command.js'
import {Flags} from '../src/cli/parse.js'
import {printEnvironments, printRemoved} from '../src/cli/views/list.js'
import {type EnvironmentSummary, listEnvironments} from '../src/environments/list.js'
import {listRemovedEnvironments} from '../src/environments/recover.js'
import type {RemovedListResult} from '../src/environments/results.js'

export default class List extends EnvsCommand {
  static override summary = 'List the environments.'
  static override description =
    `SIZE is the space that removing the environment frees. SHARED is the size of the layers that it shares with its \
image or with other environments. With --quiet: names only, one a line. With --removed: environments that envs recover can \
bring back.`
  static override aliases = ['ls']
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = {
    all: Flags.boolean({
      char: 'a',
      description: 'also ended environments of envs try',
      exclusive: ['removed'],
    }),
    removed: Flags.boolean({description: 'removed environments that can be recovered'}),
  }

  async run(): Promise<readonly EnvironmentSummary[] | RemovedListResult> {
    const {flags} = await this.parse(List)
    const host = this.openHost()
    if (flags.removed) {
      const removed = await listRemovedEnvironments(host)
      if (!this.jsonEnabled()) printRemoved(removed, {host, quiet: this.quiet})
      return removed
    }
    const environments = await listEnvironments(host, {all: flags.all})
    if (!this.jsonEnabled()) printEnvironments(environments, {host, quiet: this.quiet})
    return environments
  }
}
