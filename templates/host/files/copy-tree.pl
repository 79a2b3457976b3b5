#!/usr/bin/perl
# Copies a tree by a program that walks it by path, so that a link somebody puts into it meanwhile leads the program nowhere.
#
# usage: copy-tree.pl NUMBERS FROM TO PROGRAM ARGUMENT...
#   NUMBERS  "unshare,mount": their system call numbers on this processor
#   FROM     a folder, of which somebody may change all but its name
#   TO       what the copy is to be called; nobody else writes to the folder around it
#   PROGRAM  started with FROM and TO, in its own words for them, behind its arguments
# Started as root of a user namespace. Exits with 125 where the kernel can't keep links from being followed.
#
# The folder around both is mounted over itself with "nosymfollow", in a mount namespace of its own: links can be read and
# copied there, and not be walked through. Both lie on that one mount, for else no kernel before 5.18 shares blocks between
# them. Where FROM is another file system's, it alone is mounted so. Devices can't be opened, and nothing mounted in it is seen.
#
# Plain Perl without modules, as session.pl. See mount(2) for MS_NOSYMFOLLOW, which kernels before 5.10 ignore.
use v5.12;
use warnings;

my ($CLONE_NEWNS, $CANNOT) = (0x00020000, 125);
my %flag = (ro => 1, nosuid => 2, nodev => 4, noexec => 8, remount => 0x20, nosymfollow => 0x100, bind => 0x1000,
  rec => 0x4000, slave => 0x80000);

BEGIN { $^F = 2 }    # nothing but standard streams is inherited by anyone

my ($numbers, $from, $to, @program) = @ARGV;
my ($nr_unshare, $nr_mount) = map { $_ + 0 } split /,/, $numbers;

syscall($nr_unshare, $CLONE_NEWNS) == 0 or fail('a mount namespace');
# A copy of a mount here must not keep it mounted after the host unmounts it.
mount('/', $flag{rec} | $flag{slave}) or fail('the propagation of mounts');
my $around = around($from, $to);
if (mount_id($around) == mount_id($from) && mount_without_links($around)) {
  $_ = substr $_, length($around) + ($around eq '/' ? 0 : 1) for $from, $to;
} elsif (mount_without_links($from)) {
  $from = '.';
} else {
  fail('a mount without links');
}
exec { $program[0] } @program, $from, $to or fail($program[0]);

# Returns the common parent folder of both paths, without their last components.
sub around {
  my @paths = map { [split m{/}, $_] } @_;
  my @shared;
  while (@{$paths[0]} > 1 && @{$paths[1]} > 1 && $paths[0][0] eq $paths[1][0]) {
    push @shared, shift @{$paths[0]};
    shift @{$paths[1]};
  }
  return join('/', @shared) || '/';
}

# Enters the new mount: later lookups happen on it.
sub mount_without_links {
  my ($path) = @_;
  mount($path, $flag{bind}, $path) or return 0;
  chdir $path or return 0;
  my @options = grep { $flag{$_} } options();
  my $flags = $flag{remount} | $flag{bind};
  # Flags that are set must be repeated: they can't be removed from a mount of another user namespace.
  $flags |= $flag{$_} for @options, qw(nosuid nodev noexec nosymfollow);
  return mount($path, $flags) && grep { $_ eq 'nosymfollow' } options();
}

# Returns the options of the mount of this process's working folder. See proc_pid_mountinfo(5).
sub options {
  my $id = mount_id('.');
  open(my $file, '<', '/proc/self/mountinfo') or return;
  while (my $line = <$file>) {
    my @fields = split / /, $line;
    return split /,/, $fields[5] if $fields[0] == $id;
  }
  return;
}

sub mount_id {
  my ($path) = @_;
  opendir(my $folder, $path) or fail($path);
  open(my $file, '<', '/proc/self/fdinfo/' . fileno $folder) or fail($path);
  while (my $line = <$file>) { return $1 if $line =~ /^mnt_id:\s+(\d+)/ }
  fail($path);
}

sub mount {
  my ($at, $flags, $what) = @_;
  $what //= 'none';
  return syscall($nr_mount, "$what", "$at", 0, $flags, 0) == 0;
}

sub fail {
  my ($what) = @_;
  print STDERR "$what: $!\n";
  exit $CANNOT;
}
