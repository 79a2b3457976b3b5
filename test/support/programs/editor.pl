#!/usr/bin/perl
# A full-screen editor of one line, for rootfs that have none: alternate screen, raw keys, and a line with the size.
#
# usage: editor.pl FILE
#   Keys are added to the text; ^S saves, ^Q leaves.
use strict;

my ($path) = @ARGV;
my $text = '';
if (open my $file, '<', $path) { local $/; $text = <$file>; chomp $text }
my $modes = `stty -g`;
system 'stty', 'raw', '-echo';
$| = 1;
print "\e[?1049h";
my ($resized, $note) = (0, '');
$SIG{WINCH} = sub { $resized = 1 };
draw();
while (1) {
  my $got = sysread STDIN, my $key, 1;
  if (!defined $got) { $resized or last; $resized = 0; draw(); next }
  last if $got == 0 || $key eq "\x11";
  if ($key eq "\x13") { save() }
  else { $text .= $key; $note = '' }
  draw();
}
print "\e[?1049l";
system 'stty', $modes =~ /(\S+)/;

sub draw {
  my ($rows, $columns) = split ' ', `stty size`;
  print "\e[2J\e[1;1H-- $path --\e[3;1H$text\e[$rows;1H${rows}x$columns $note\e[3;", 1 + length $text, 'H';
}

sub save {
  open my $file, '>', $path or return;
  print $file "$text\n";
  close $file;
  $note = 'saved';
}
