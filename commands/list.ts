import {type EnvironmentSummary, listEnvironments} from '../src/environments/list.js'
import {EnvsCommand} from '../src/ui/command.js'
import {Flags} from '../src/ui/definitions.js'
import {formatRelativeTime} from '../src/ui/relative-time.js'
import {formatBytes} from '../src/ui/size.js'

export default class List extends EnvsCommand {
  static override summary = 'List the environments.'
  static override description =
    `SIZE is the space that removing the environment frees. SHARED is the size of the layers that it shares with its \
image or with other environments. With --quiet: names only, one a line.`
  static override hiddenAliases = ['ls']
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
    const own = host.architecture
    const environments = await listEnvironments(host, {all: flags.all})
    if (this.quiet) {
      for (const {name} of environments) this.print(name)
      return environments
    }
    if (environments.length === 0) this.note('There is no environment yet. Create one: envs create')
    const size = (bytes: number | null) => (bytes === null ? '-' : formatBytes(bytes))
    const ago = (time: Date | null) => (time === null ? '-' : formatRelativeTime(time, host.now()))
    // Few ever have one of another processor.
    const isMixed = environments.some(({architecture}) => (architecture ?? own) !== own)
    this.printTable(environments, [
      {title: 'name', show: ({name}) => name},
      {title: 'state', show: ({state}) => state},
      {title: 'size', align: 'right', show: ({sizeBytes}) => size(sizeBytes)},
      {title: 'shared', align: 'right', show: ({sharedBytes}) => size(sharedBytes)},
      {title: 'last used', show: ({lastUsedAt}) => ago(lastUsedAt)},
      {title: 'identity', show: ({identity}) => identity ?? '-'},
      ...(isMixed ? [{title: 'arch', show: showArchitecture}] : []),
      {title: 'image', show: ({image}) => image ?? '-'},
    ])
    return environments
  }
}

function showArchitecture({architecture}: EnvironmentSummary): string {
  return architecture ?? '-'
}
