import {EnvsCommand} from '../src/cli/command.js'
import {optionalNameArg} from '../src/cli/flags.js'
import {formatRelativeTime} from '../src/cli/format.js'
import type {Column} from '../src/cli/table.js'
import type {ProcessListResult} from '../src/environments/results.js'
import {environmentProcesses} from '../src/environments/session/processes.js'

const PROGRAM: Column<ProcessListResult[number]> = {
  title: 'program',
  rank: 1,
  show: ({program}) => program ?? '-',
}

export default class Ps extends EnvsCommand {
  static override summary = 'List the processes of one environment, or of all.'
  static override description = `PID is the process id inside the environment, HOST PID the one on the host, \
PROGRAM a program of envs run --detach. With --quiet: host process ids only.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> play --json',
  ]
  static override args = {name: optionalNameArg('name of the environment [default: all]')}

  async run(): Promise<ProcessListResult> {
    const {args} = await this.parse(Ps)
    const host = this.openHost()
    const processes = await environmentProcesses(host, args.name)
    if (this.quiet) {
      for (const {hostPid} of processes) this.print(String(hostPid))
      return processes
    }
    const hasPrograms = processes.some(({program}) => program !== null)
    this.printTable(processes, [
      {title: 'environment', show: ({environment}) => environment},
      ...(hasPrograms ? [PROGRAM] : []),
      {title: 'pid', align: 'right', show: ({pid}) => String(pid)},
      {title: 'host pid', align: 'right', rank: 3, show: ({hostPid}) => String(hostPid)},
      {title: 'uid', align: 'right', rank: 2, show: ({uid}) => String(uid)},
      {title: 'started', rank: 1, show: ({startedAt}) => formatRelativeTime(startedAt, host.now())},
      {title: 'command', isCut: true, show: ({command}) => command},
    ])
    return processes
  }
}
