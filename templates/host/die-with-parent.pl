#!/usr/bin/perl
# Becomes a program that the kernel kills when the process that started it ends, however that ends.
#
# usage: die-with-parent.pl PRCTL PARENT PROGRAM ARGUMENT...
#   PRCTL    system call number of prctl(2) on this processor
#   PARENT   id of the process that is to outlive the program
#
# To be started after whatever changes credentials, such as unshare(1) with a user namespace: that takes the signal back.
# Plain Perl without modules, as session.pl.
use v5.12;
use warnings;

my ($PR_SET_PDEATHSIG, $SIGKILL) = (1, 9);

my ($nr_prctl, $parent, @program) = @ARGV;
syscall($nr_prctl, $PR_SET_PDEATHSIG, $SIGKILL, 0, 0, 0) == 0 or die "envs: prctl: $!\n";
# It may have ended before.
exit 128 + $SIGKILL if getppid() != $parent;
$^F = 255;    # descriptors are handed on by number
exec { $program[0] } @program or die "envs: $program[0]: $!\n";
