import {formatCommandLine} from '../../host/argv/command-line.js'
import type {Inspection} from '../../sandbox/inspection.js'
import {portsOfProcesses} from '../../sandbox/listening-ports.js'
import type {GuestProcess} from '../../sandbox/processes.js'
import type {ServiceRow} from '../services/results.js'
import {listPrograms, type Program} from './program.js'
import {programOf} from './program-of-process.js'

/** Processes of an environment, and what is known of them. */
export type FoundProcesses = {readonly processes: readonly GuestProcess[]; readonly facts: Inspection}

/** Returns the rows of the programs of an environment, for the table of its services. */
export async function programRows(
  runFolder: string,
  {processes, facts}: FoundProcesses,
): Promise<ServiceRow[]> {
  const programs = await listPrograms(runFolder)
  return programs.map((program) =>
    rowOf(program, {
      facts,
      processes: processes.filter((process) => programOf(process, programs) === program.name),
    }),
  )
}

const STATES = {
  starting: 'activating',
  running: 'active',
  // As systemd has a service that it starts again.
  waiting: 'activating',
} as const

function rowOf(program: Program, {processes, facts}: FoundProcesses): ServiceRow {
  const {name, command, restart, since} = program
  const [main] = processes
  return {
    kind: 'program',
    unit: name,
    description: formatCommandLine(command),
    state: program.state === 'ended' ? endOf(program) : STATES[program.state],
    sub: program.state === 'waiting' ? 'auto-restart' : program.state,
    result: resultOf(program),
    since,
    isEnabled: restart !== 'no',
    mainPid: main?.pid ?? null,
    ports: portsOfProcesses(processes, facts),
    reason: null,
  }
}

function endOf({isStopped, status}: Program): 'inactive' | 'failed' {
  return isStopped || status === 0 ? 'inactive' : 'failed'
}

/** As systemd names them. */
function resultOf({isStopped, status, state}: Program): string {
  if (state === 'starting' || state === 'running' || isStopped || status === 0) return 'success'
  if (status === null) return 'killed'
  return status > 128 ? `signal ${status - 128}` : `status ${status}`
}
