import {type EnvironmentReport, examineEnvironment} from '../src/environments/examine.js'
import {ExitCode} from '../src/errors.js'
import type {Check} from '../src/host/doctor/check.js'
import {canRun, examineHost} from '../src/host/doctor/list.js'
import {optionalNameArg} from '../src/ui/arguments.js'
import {EnvsCommand} from '../src/ui/command.js'
import {renderEnvironmentReport} from '../src/ui/environment-report.js'

const MARKS = {pass: 'ok  ', warn: 'warn', fail: 'FAIL'} as const

type HostReport = {readonly canRun: boolean; readonly checks: readonly Check[]}

export default class Doctor extends EnvsCommand {
  static override summary =
    'Examine what this host, or an environment, can do, what stands in the way, and the remedy.'
  static override description =
    `Changes nothing. Without NAME: the host; exits with 7 when no environment can run here. With NAME: what of its image \
the environment could not be given (owners, capabilities, device nodes), and which of its packages need more than it gives.`
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> play',
    '<%= config.bin %> <%= command.id %> --json',
  ]
  static override args = {name: optionalNameArg('name of an environment; the host when left out')}

  async run(): Promise<HostReport | EnvironmentReport> {
    const {args} = await this.parse(Doctor)
    return args.name === undefined ? this.#examineHost() : this.#examineEnvironment(args.name)
  }

  async #examineEnvironment(name: string): Promise<EnvironmentReport> {
    const report = await examineEnvironment(this.openHost(), name)
    for (const line of renderEnvironmentReport(report)) this.print(line)
    return report
  }

  async #examineHost(): Promise<HostReport> {
    const checks = await examineHost(this.openHost())
    for (const {status, title, evidence, cost, remedy} of checks) {
      this.print(`${MARKS[status]}  ${title}: ${evidence}`)
      if (status === 'pass') continue
      if (cost !== undefined) this.print(`      means: ${cost}`)
      if (remedy !== undefined) this.print(`      remedy: ${remedy}`)
    }
    const result = {canRun: canRun(checks), checks}
    if (!result.canRun) process.exitCode = ExitCode.host
    return result
  }
}
