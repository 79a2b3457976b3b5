#!/usr/bin/perl
# Writes a block of names into /etc/hosts of a running environment, as root of the guest.
#
# usage: hosts.pl NUMBERS ANCHOR STARTED [LINE...]
#   NUMBERS  system calls setns, prctl and prlimit64 on this processor, then "power" or "generic", separated by commas
#   ANCHOR   process id of pid 1 of the environment, and its start time
#   LINE     of the block; without any, the block is removed
# Inherited: 3 status pipe, 4 lock, held as long as this program runs.
#
# The status pipe gets "ready", or "failed STAGE ERRNO". The guest can change the file at any time, and a link leads to its own files alone:
# this process has the root of the guest. A file that is no regular one, or too large, stays as it is.
# Plain Perl without modules, as session.pl. See hosts(5), setns(2).
use v5.12;
use warnings;

my ($CLONE_NEWUSER, $CLONE_NEWNS) = (0x10000000, 0x00020000);
my ($O_RDONLY, $O_WRONLY, $O_CREAT, $O_EXCL, $O_NONBLOCK) = (0, 1, 0100, 0200, 04000);
my ($BEGIN, $END) = ('# Names of common networks, by envs', '# End of the names of common networks');
my ($FILE, $MOST_BYTES) = ('/etc/hosts', 1048576);

BEGIN { $^F = 2 }

my ($numbers, $anchor, $started, @lines) = @ARGV;
my ($folder) = $0 =~ m{^(.*)/};
require "$folder/namespace.pl";
our $report;
open($report, '>&=', 3) or exit 1;
my ($setns, undef, undef, $kind) = split /,/, $numbers;
open(my $mounts, '<', "/proc/$anchor/ns/mnt") && open(my $guest, '<', "/proc/$anchor/ns/user") && is_anchor($anchor, $started) or give_up('anchor');
# NS_GET_USERNS is _IO(0xb7, 1), which POWER numbers differently.
my $number = ioctl($mounts, $kind eq 'power' ? 0x2000b701 : 0xb701, 0) // give_up('owner');
open(my $owner, '<&=', $number) or give_up('owner');
join_user($owner);
syscall($setns, fileno $mounts, $CLONE_NEWNS) == 0 or give_up('join-mounts');
join_user($guest);
my $text = present_text();
renew($text) if defined $text;
syswrite $report, "ready\n";
exit 0;

# A namespace can't be joined twice.
sub join_user {
  my ($namespace) = @_;
  return if (stat $namespace)[1] == (stat '/proc/self/ns/user')[1];
  syscall($setns, fileno $namespace, $CLONE_NEWUSER) == 0 or give_up('join-user');
}

sub present_text {
  return '' unless lstat $FILE;
  return unless -f _ && sysopen(my $file, $FILE, $O_RDONLY | $O_NONBLOCK);
  return unless -f $file && -s _ <= $MOST_BYTES;
  my $text = '';
  while (my $got = sysread($file, $text, 65536, length $text)) { return if length $text > $MOST_BYTES }
  return $text;
}

sub renew {
  my ($before) = @_;
  my $text = $before =~ s/^\Q$BEGIN\E\n.*?^\Q$END\E\n//msr;
  if (@lines) {
    $text .= "\n" if length $text && $text !~ /\n\z/;
    $text .= join '', map { "$_\n" } $BEGIN, @lines, $END;
  }
  return if $text eq $before;
  my $new = "$FILE.envs-$$";
  umask 022;
  sysopen(my $file, $new, $O_WRONLY | $O_CREAT | $O_EXCL, 0644) or return;
  my $is_whole = (syswrite($file, $text) // -1) == length $text && close $file;
  return if $is_whole && rename $new, $FILE;
  unlink $new;
}
