import {type EnvironmentSummary, listEnvironments} from '../src/environments/list.js'
import {EnvsCommand} from '../src/ui/command.js'
import {formatRelativeTime} from '../src/ui/relative-time.js'
import {formatBytes} from '../src/ui/size.js'

export default class List extends EnvsCommand {
  static override summary = 'List the environments.'
  static override description = 'With --quiet: their names only, one a line.'
  static override hiddenAliases = ['ls']
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  async run(): Promise<EnvironmentSummary[]> {
    await this.parse(List)
    const host = this.openHost()
    const environments = await listEnvironments(host)
    if (this.quiet) {
      for (const {name} of environments) this.print(name)
      return environments
    }
    if (environments.length === 0) this.note('There is no environment yet. Create one: envs create focal')
    const ago = (time: Date | null) => (time === null ? '-' : formatRelativeTime(time, host.now()))
    this.printTable(environments, [
      {title: 'name', show: ({name}) => name},
      {title: 'state', show: ({state}) => state},
      {
        title: 'size',
        align: 'right',
        show: ({sizeBytes}) => (sizeBytes === null ? '-' : formatBytes(sizeBytes)),
      },
      {title: 'last used', show: ({lastUsedAt}) => ago(lastUsedAt)},
      {title: 'identity', show: ({identity}) => identity ?? '-'},
      {title: 'image', show: ({image}) => image ?? '-'},
    ])
    return environments
  }
}
