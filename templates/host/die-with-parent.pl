#!/usr/bin/perl
# Becomes a program that the kernel kills when its parent ends, for whatever reason.
#
# usage: die-with-parent.pl PRCTL PARENT PROGRAM ARGUMENT...
#   PRCTL    system call number of prctl(2) on this processor
#   PARENT   id of the parent process
#
# To be started after a change of credentials, such as unshare(1) with a user namespace, which clears the signal.
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($PR_SET_PDEATHSIG, $SIGKILL) = (1, 9);

my ($nr_prctl, $parent, @program) = @ARGV;
syscall($nr_prctl, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0) == 0 or die "envs: prctl: $!\n";
# The parent may have ended before.
exit 128 + $SIGKILL if getppid() != $parent;
$^F = 255;    # descriptors are handed on by number
exec { $program[0] } @program or die "envs: $program[0]: $!\n";
