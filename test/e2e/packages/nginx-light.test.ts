import {testPackage} from '../../support/package-trial.js'

await testPackage('nginx-light')
