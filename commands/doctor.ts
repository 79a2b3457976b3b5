import {ExitCode} from '../src/errors.js'
import type {Check} from '../src/host/doctor/check.js'
import {canRun, examineHost} from '../src/host/doctor/list.js'
import {EnvsCommand} from '../src/ui/command.js'

const MARKS = {pass: 'ok  ', warn: 'warn', fail: 'FAIL'} as const

export default class Doctor extends EnvsCommand {
  static override summary = 'Examine what this host can do, what stands in the way, and the remedy.'
  static override description = 'Changes nothing. Exits with 7 when no environment can run here.'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  async run(): Promise<{canRun: boolean; checks: readonly Check[]}> {
    await this.parse(Doctor)
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
