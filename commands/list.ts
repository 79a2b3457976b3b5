import {type EnvironmentSummary, listEnvironments} from '../src/environments/list.js'
import {EnvsCommand} from '../src/ui/command.js'
import {Flags} from '../src/ui/definitions.js'
import {printEnvironments} from '../src/ui/environment-list.js'

export default class List extends EnvsCommand {
  static override summary = 'List the environments.'
  static override description =
    `SIZE is what removing it would give back; SHARED is what it stands on together with others, or with its image, which \
is kept for the next environment. With --quiet: their names only, one a line.`
  static override hiddenAliases = ['ls']
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = {
    all: Flags.boolean({
      char: 'a',
      description: 'also those of envs try that have ended and can still be kept',
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
