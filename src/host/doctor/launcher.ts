import type {Host} from '../host.js'
import {findPerl} from '../script.js'
import {type Check, fail, pass} from './check.js'
import {installSteps} from './install-steps.js'
import {runTrial} from './trial.js'

const TROUBLE = {
  cost: 'envs cannot create or enter environments: a Perl program joins them and loads their system call filter. Existing environments can be listed, shown, stopped, renamed and removed, and images can be downloaded.',
  remedy:
    'Ask an administrator to install the package perl-base, or download it into your own folder: envs doctor --fetch perl',
}

/** Prints the version if the only module that sessions load exists. */
const TRIAL = ['-e', 'use strict; printf "%vd", $^V']

/** Runs Perl, which makes the system calls that Node lacks. */
export async function checkLauncher(
  host: Pick<Host, 'which'>,
  distribution: string | undefined,
): Promise<Check> {
  const request = {
    steps: installSteps(distribution, 'perl-base'),
    opens: 'Nothing: perl is an interpreter without privileges of its own.',
  }
  const perl = findPerl(host)
  if (perl === undefined) {
    const evidence = `perl was not found.${await noteSetpriv(host)}`
    return fail('launcher', {...TROUBLE, request, evidence})
  }
  const {status, stdout} = await runTrial([perl, ...TRIAL])
  return status === 0
    ? pass('launcher', `perl ${stdout} at ${perl}.`)
    : fail('launcher', {...TROUBLE, request, evidence: `${perl} ended with status ${status}.`})
}

/** Tries the option itself: setpriv has it since util-linux 2.41. */
async function noteSetpriv({which}: Pick<Host, 'which'>): Promise<string> {
  const setpriv = which('setpriv')
  if (setpriv === undefined) return ''
  const {status} = await runTrial([setpriv, '--seccomp-filter', '/dev/null', '--version'])
  return status === 0 ? ' setpriv can load a filter, but cannot join an environment.' : ''
}
