"""Videos, written and read back by ffmpeg."""

import contextlib
import glob
import os
import signal
import subprocess
import threading
from fractions import Fraction

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from mmnet import video
from mmnet.errors import UserError
from tests.helpers import moving_bar, tone, write_video


@pytest.mark.parametrize('width, height', [(64, 48), (63, 47)])
def test_size_rate_and_pictures_stay(tmp_path, width, height):
    path, frames = tmp_path / 'clip.mp4', moving_bar(10, width, height)
    write_video(path, frames)
    with video.reading(str(path)) as clip:
        assert clip.size == (width, height)
        assert clip.fps == Fraction(30000, 1001) and clip.sound is None
        assert abs(clip.frames - 10) <= 1
        images = list(clip.images)
    assert len(images) == 10
    assert np.mean([abs(a.astype(float) - b).mean() for a, b in zip(images, frames)]) < 12
    assert not list(tmp_path.glob('*.partial'))


def test_sound_is_kept(tmp_path):
    write_video(tmp_path / 'loud.mp4', moving_bar(15), sound=tone(tmp_path / 'tone.wav', 0.5))
    with video.reading(str(tmp_path / 'loud.mp4')) as clip:
        assert clip.sound == str(tmp_path / 'loud.mp4')
    # From one video to the next, as matte.py does.
    write_video(tmp_path / 'next.mp4', moving_bar(15), sound=str(tmp_path / 'loud.mp4'))
    samples = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-i', str(tmp_path / 'next.mp4'), '-f',
         's16le', '-ac', '1', '-ar', '8000', '-'], check=True, stdout=subprocess.PIPE).stdout
    spectrum = abs(np.fft.rfft(np.frombuffer(samples, np.int16)[:4000]))
    assert np.argmax(spectrum) * 8000 / 4000 == pytest.approx(440, abs=10)


def test_cut_outs_have_transparency(tmp_path):
    rgba = np.zeros([5, 48, 64, 4], np.uint8)
    rgba[:, :, 20:40] = [200, 100, 50, 255]
    rgba[:, :, 30:40, 3] = 128
    write_video(tmp_path / 'cut.mov', rgba, transparent=True)
    # Colours are those of BT.709. TensorFlow's environment has an ffmpeg that reads no such tag.
    reader = imageio_ffmpeg.read_frames(str(tmp_path / 'cut.mov'), pix_fmt='rgba', bpp=4,
                                        output_params=['-vf', 'scale=in_color_matrix=bt709'])
    assert next(reader)['codec'] == 'prores'
    frame = np.frombuffer(next(reader), np.uint8).reshape([48, 64, 4])
    reader.close()
    np.testing.assert_allclose(frame[20, [5, 25, 35, 50], 3], [0, 255, 128, 0], atol=3)
    np.testing.assert_allclose(frame[20, 25, :3], [200, 100, 50], atol=8)


def test_a_turned_video_comes_upright(tmp_path):
    write_video(tmp_path / 'flat.mp4', moving_bar(3))
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-i',
                    str(tmp_path / 'flat.mp4'), '-c', 'copy', '-metadata:s:v', 'rotate=90',
                    str(tmp_path / 'turned.mp4')], check=True)
    with video.reading(str(tmp_path / 'turned.mp4')) as clip:
        assert clip.size == (48, 64) and next(clip.images).shape == (64, 48, 3)


def test_a_name_with_a_colon_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(str(tmp_path))
    write_video(tmp_path / 'clip.mp4', moving_bar(5, 64, 48))
    os.rename('clip.mp4', '12:30.mp4')
    with video.reading('12:30.mp4') as clip:
        assert len(list(clip.images)) == 5
    assert not video.is_damaged('12:30.mp4')


def coloured(path, *flags, size='64x48', colour=(200, 120, 100)):
    """Writes a second of one colour with flags of ffmpeg."""
    width, height = map(int, size.split('x'))
    frame = np.tile(np.uint8(colour), width * height).tobytes()
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-v', 'error', '-f', 'rawvideo', '-pix_fmt',
                    'rgb24', '-s', size, '-r', '5', '-i', '-', *flags, str(path)],
                   input=5 * frame, check=True)


def first_colour(path):
    with video.reading(str(path)) as clip:
        return next(clip.images)[20, 20].astype(int)


@pytest.mark.parametrize('colour', [(200, 120, 100), (220, 30, 30), (235, 235, 235)])
@pytest.mark.parametrize('curve', ['arib-std-b67', 'smpte2084'])
@pytest.mark.parametrize('tags', [['-color_primaries', 'bt2020', '-colorspace', 'bt2020nc'], []])
def test_hdr_becomes_srgb(tmp_path, curve, colour, tags):
    coloured(tmp_path / 'hdr.mp4', '-vf',
             'zscale=pin=bt709:tin=bt709:min=gbr:p=bt709:t=linear:npl=203,format=gbrpf32le,zscale='
             f'p=bt2020:t={curve}:m=bt2020nc:r=tv:npl=203,format=yuv420p10le', '-c:v', 'libx265',
             '-x265-params', 'log-level=error', '-color_trc', curve, *tags, colour=colour)
    np.testing.assert_allclose(first_colour(tmp_path / 'hdr.mp4'), colour, atol=8)


# Players take untagged HD for BT.709, and smaller videos for BT.601, upright or not.
@pytest.mark.parametrize('size, matrix, flags', [
    ('1280x720', 'bt709', []), ('1280x534', 'bt709', []), ('64x48', 'bt601', []),
    ('640x480', 'bt601', ['-metadata:s:v', 'rotate=90']),
    ('1280x720', 'bt709', ['-color_primaries', 'bt709', '-color_trc', 'bt709']),
    ('1280x720', 'bt601', ['-colorspace', 'smpte170m'])])
def test_colours_stay_and_are_tagged(tmp_path, size, matrix, flags):
    path = tmp_path / 'in.mp4'
    coloured(path, '-vf', f'scale=out_color_matrix={matrix}', '-pix_fmt', 'yuv420p', *flags,
             size=size)
    np.testing.assert_allclose(first_colour(path), [200, 120, 100], atol=4)
    write_video(tmp_path / 'out.mp4', np.full([3, 48, 64, 3], [200, 120, 100], np.uint8))
    np.testing.assert_allclose(first_colour(tmp_path / 'out.mp4'), [200, 120, 100], atol=4)
    header = subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-i', str(tmp_path / 'out.mp4')],
                            stderr=subprocess.PIPE).stderr.decode()
    assert 'yuv420p(tv, bt709' in header


def test_pixels_become_square(tmp_path):
    coloured(tmp_path / 'x.mp4', '-vf', 'setsar=16/15', size='72x56')
    with video.reading(str(tmp_path / 'x.mp4')) as clip:
        assert clip.size == (76, 56)
        assert next(clip.images).shape == (56, 76, 3)


def test_a_recording_of_a_browser_has_no_rate(tmp_path):
    """Its header says 1k tbr; frames come about every 33 ms."""
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=s=64x48:r=30:d=2', '-vf',
           "settb=1/1000,setpts='N*33+mod(N*7,11)'", '-vsync', '0', '-enc_time_base', '1/1000',
           '-c:v', 'libvpx', '-deadline', 'realtime', '-live', '1', '-f', 'webm',
           str(tmp_path / 'x.webm'))
    with video.reading(str(tmp_path / 'x.webm')) as clip:
        assert 29 < clip.fps < 32
        assert abs(len(list(clip.images)) - 60) <= 2


def test_exact_rates():
    assert video.exact_rate(29.97) == Fraction(30000, 1001)
    assert video.exact_rate(23.98) == Fraction(24000, 1001)
    assert video.exact_rate(59.94) == Fraction(60000, 1001)
    assert video.exact_rate(25.0) == 25 and video.exact_rate(12.5) == Fraction(25, 2)
    with pytest.raises(ValueError):
        video.exact_rate(0)


def test_what_is_no_video_is_named(tmp_path):
    path = tmp_path / 'bad.mp4'
    for content in (b'no video', b''):
        path.write_bytes(content)
        with pytest.raises(UserError, match='bad.mp4: cannot be read as a video'):
            with video.reading(str(path)) as clip:
                list(clip.images)


def test_the_video_that_cannot_be_written_is_named(tmp_path):
    form = video.Video((64, 48), Fraction(25), None, None, iter(()))
    first, second = str(tmp_path / 'first.mp4'), str(tmp_path / 'second.mp4')
    with pytest.raises(UserError, match='first.mp4: cannot be written'):
        with video.writing(first, form) as send, video.writing(second, form):
            for path in glob.glob('/proc/[0-9]*/cmdline'):
                with contextlib.suppress(OSError), open(path) as file:
                    if first + '.partial' in file.read().split('\0'):
                        os.kill(int(path.split('/')[2]), signal.SIGKILL)
            for frame in moving_bar(1000):
                send(frame)


def test_nothing_is_left_of_a_video_that_goes_wrong(tmp_path):
    with contextlib.suppress(KeyboardInterrupt):
        with video.writing(str(tmp_path / 'x.mp4'), video.Video(
                (64, 48), Fraction(25), None, None, iter(()))) as send:
            send(moving_bar(1)[0])
            raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(UserError, match='camera:99'):
        with video.camera(99):
            pass


def test_a_camera_s_frames_come_at_a_steady_rate(tmp_path):
    write_video(tmp_path / 'clip.mp4', moving_bar(6))
    clock = iter(np.arange(20) * 0.1)
    capture = cv2.VideoCapture(str(tmp_path / 'clip.mp4'))
    # It takes a tenth of a second a frame, and twenty a second are wanted.
    images = list(video.paced(capture, 20, clock=lambda: next(clock)))
    assert len(images) == 12
    assert all(images[i] is images[i + 1] for i in range(0, 12, 2))
    bars = [int(np.argmax(image[20, :, 0].astype(int) - image[20, :, 2])) for image in images[::2]]
    assert bars == sorted(bars) and bars[-1] - bars[0] == pytest.approx(20, abs=4)


def test_a_fast_camera_loses_frames_and_keeps_its_time(tmp_path):
    write_video(tmp_path / 'clip.mp4', moving_bar(6))
    clock = iter(np.arange(7) / 60)
    capture = cv2.VideoCapture(str(tmp_path / 'clip.mp4'))
    # Six frames in a tenth of a second, and thirty a second are wanted.
    assert len(list(video.paced(capture, 30, clock=lambda: next(clock)))) == 3


def test_a_file_that_ffmpeg_could_not_finish_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(video.imageio_ffmpeg, 'write_frames', cut_short)
    with pytest.raises(UserError, match='x.mp4: ffmpeg could not finish it'):
        with video.writing(str(tmp_path / 'x.mp4'), video.Video(
                (64, 48), Fraction(25), None, None, iter(()))) as send:
            send(moving_bar(1)[0])
    assert not list(tmp_path.iterdir())


def cut_short(path, *args, write_frames=imageio_ffmpeg.write_frames, **options):
    """Writes a video and loses its end, as on a full disk."""
    writer = write_frames(path, *args, **options)
    writer.send(None)
    try:
        while True:
            writer.send((yield))
    finally:
        writer.close()
        with open(path, 'r+b') as file:
            file.truncate(os.path.getsize(path) // 2)


def ffmpeg(*args):
    subprocess.run([imageio_ffmpeg.get_ffmpeg_exe(), '-y', '-v', 'error', *args], check=True)


def test_a_variable_frame_rate_ends_with_the_sound(tmp_path):
    """Thirty frames in the first second, ten a second after it, as phones in the dark record."""
    path = str(tmp_path / 'phone.mp4')
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=30:duration=2', '-f', 'lavfi', '-i',
           'sine=frequency=440:duration=3.7', '-vf',
           "setpts='if(lt(N,30),N/30,1+(N-30)/10)/TB'", '-vsync', 'vfr', path)
    with video.reading(path) as clip:
        rate, images = clip.fps, list(clip.images)
    assert len(images) / rate == pytest.approx(3.73, abs=1.5 / rate)
    write_video(tmp_path / 'out.mp4', images, rate, sound=path)
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / 'out.mp4'))
    assert frames == len(images) and seconds == pytest.approx(3.73, abs=0.1)
    # After two seconds, the result shows the frame that the source shows there.
    reader = imageio_ffmpeg.read_frames(path, input_params=['-ss', '2.02'])
    next(reader)
    shown = np.frombuffer(next(reader), np.uint8).reshape(images[0].shape).astype(float)
    reader.close()
    differences = [abs(image - shown).mean() for image in images]
    assert abs(np.argmin(differences) / rate - 2.02) < 0.11


def test_a_video_that_was_cut_off_is_named(tmp_path):
    path = tmp_path / 'clip.mp4'
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=320x240:rate=25:duration=6', '-movflags',
           '+faststart', str(path))
    with video.reading(str(path)) as clip:
        assert len(list(clip.images)) == 150
    content = path.read_bytes()
    path.write_bytes(content[:len(content) // 2])
    with pytest.raises(UserError, match='clip.mp4: is cut off or damaged; only .* of 150'):
        with video.reading(str(path)) as clip:
            list(clip.images)


def test_sound_that_is_longer_than_the_pictures_is_no_damage(tmp_path):
    path = str(tmp_path / 'long.mp4')
    ffmpeg('-f', 'lavfi', '-i', 'testsrc=size=64x48:rate=30:duration=1', '-f', 'lavfi', '-i',
           'sine=duration=3', path)
    with video.reading(path) as clip:
        assert len(list(clip.images)) == 30


def test_a_pipe_is_not_opened_as_a_video(tmp_path):
    os.mkfifo(str(tmp_path / 'x.mp4'))
    with pytest.raises(UserError, match='x.mp4: is not a regular file'):
        with video.reading(str(tmp_path / 'x.mp4')):
            pass


def test_ahead_keeps_the_order_and_passes_errors_on():
    def counted():
        for index in range(20):
            yield index
        raise UserError('the end is damaged')
    seen = []
    with pytest.raises(UserError, match='the end is damaged'):
        for each in video.ahead(counted()):
            seen.append(each)
    assert seen == list(range(20))
    assert list(video.ahead(iter([]))) == []


def test_ahead_stops_its_thread_when_it_is_closed():
    made, threads = [], threading.active_count()

    def endless():
        while True:
            made.append(len(made))
            yield made[-1]
    items = video.ahead(endless(), count=2)
    assert next(items) == 0
    items.close()
    assert threading.active_count() == threads and len(made) <= 5
