import type {Host} from '../host.js'
import {type Check, fail, pass} from './check.js'
import {runTrial} from './trial.js'

const SUBJECT = {id: 'perl', title: 'Perl'} as const

const COST =
  'No session can start: a Perl script of envs joins the environment and loads its system call filter.'
const REMEDY = 'Ask an administrator to install the package perl-base (or perl).'

/** Perl makes the system calls that Node has no function for; its core, without a module, is enough. */
export async function checkPerl({which}: Pick<Host, 'which'>): Promise<Check> {
  const perl = which('perl')
  if (perl === undefined) return fail(SUBJECT, {evidence: 'perl was not found.', cost: COST, remedy: REMEDY})
  const {status, stdout} = await runTrial([perl, '-e', 'printf "%vd", $^V'])
  if (status === 0) return pass(SUBJECT, `perl ${stdout} at ${perl}.`)
  return fail(SUBJECT, {evidence: `${perl} ended with status ${status}.`, cost: COST, remedy: REMEDY})
}
