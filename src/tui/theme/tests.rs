use super::*;

type Rgb = [f64; 3];

/// The terminal's own 16 as xterm and as the console of Linux have them.
const XTERM: [Rgb; 16] = [
    [0., 0., 0.],
    [205., 0., 0.],
    [0., 205., 0.],
    [205., 205., 0.],
    [0., 0., 238.],
    [205., 0., 205.],
    [0., 205., 205.],
    [229., 229., 229.],
    [127., 127., 127.],
    [255., 0., 0.],
    [0., 255., 0.],
    [255., 255., 0.],
    [92., 92., 255.],
    [255., 0., 255.],
    [0., 255., 255.],
    [255., 255., 255.],
];
const CONSOLE: [Rgb; 16] = [
    [0., 0., 0.],
    [170., 0., 0.],
    [0., 170., 0.],
    [170., 85., 0.],
    [0., 0., 170.],
    [170., 0., 170.],
    [0., 170., 170.],
    [170., 170., 170.],
    [85., 85., 85.],
    [255., 85., 85.],
    [85., 255., 85.],
    [255., 255., 85.],
    [85., 85., 255.],
    [255., 85., 255.],
    [85., 255., 255.],
    [255., 255., 255.],
];

/// What a terminal shows; `None` for its own foreground, which it answers for itself.
fn shown(color: Color, own: &[Rgb; 16]) -> Option<Rgb> {
    const STEPS: [f64; 6] = [0.0, 95.0, 135.0, 175.0, 215.0, 255.0];
    use Color::*;
    let names = [
        Black,
        Red,
        Green,
        Yellow,
        Blue,
        Magenta,
        Cyan,
        Gray,
        DarkGray,
        LightRed,
        LightGreen,
        LightYellow,
        LightBlue,
        LightMagenta,
        LightCyan,
        White,
    ];
    match color {
        Reset => None,
        Rgb(r, g, b) => Some([r, g, b].map(f64::from)),
        Indexed(index @ 0..16) => Some(own[usize::from(index)]),
        Indexed(index @ 16..232) => {
            let at = usize::from(index - 16);
            Some([at / 36, at / 6 % 6, at % 6].map(|step| STEPS[step]))
        }
        Indexed(index) => Some([8.0 + 10.0 * f64::from(index - 232); 3]),
        named => names.iter().position(|&name| name == named).map(|at| own[at]),
    }
}

/// The light of a colour, channel by channel, 0..=1.
fn light(rgb: Rgb) -> Rgb {
    rgb.map(|channel| {
        let share = channel / 255.0;
        if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
    })
}

fn luminance(rgb: Rgb) -> f64 {
    let [r, g, b] = light(rgb);
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// WCAG's contrast on black and on white, the lesser of both.
fn contrast(rgb: Rgb) -> f64 {
    let luminance = luminance(rgb);
    ((luminance + 0.05) / 0.05).min(1.05 / (luminance + 0.05))
}

fn colors(theme: Theme) -> Vec<Color> {
    let Theme { accent, model, error, warning, bar, scale, .. } = theme;
    [accent, model, error, warning, bar].into_iter().chain(scale).collect()
}

#[test]
fn every_theme_is_readable_on_black_and_on_white_with_many_colours_and_with_sixteen() {
    for (name, _, _) in THEMES {
        let least = if name == "high-contrast" { 4.5 } else { 3.0 };
        for color in colors(named(name, Colors::Many).unwrap()) {
            // A fixed colour of the 256 or its own foreground: its own 16 are whatever people make of them.
            assert!(matches!(color, Color::Indexed(16..) | Color::Reset), "{name}: {color:?}");
            let contrast = shown(color, &XTERM).map_or(21.0, contrast);
            assert!(contrast >= least, "{name}: {color:?} has {contrast:.2}");
        }
        for color in colors(named(name, Colors::Sixteen).unwrap()) {
            assert!(!matches!(color, Color::Indexed(_) | Color::Rgb(..)), "{name}: {color:?}");
            for own in [&XTERM, &CONSOLE] {
                let contrast = shown(color, own).map_or(21.0, contrast);
                assert!(contrast >= 3.0, "{name}: {color:?} has {contrast:.2}");
            }
        }
        assert!(colors(named(name, Colors::None).unwrap()).iter().all(|&color| color == Color::Reset));
    }
}

#[test]
fn what_is_faint_can_be_read_at_half_the_contrast() {
    for (name, _, _) in THEMES {
        let dim = named(name, Colors::Many).unwrap().dim();
        assert_eq!((dim.fg, dim.bg), (None, None), "{name}: the terminal's own foreground");
        // The console's is not bright enough for that.
        assert_eq!(named(name, Colors::Sixteen).unwrap().dim(), Style::new(), "{name}");
    }
    for (own, behind) in [(XTERM[7], XTERM[0]), (XTERM[0], XTERM[15])] {
        let half = [0, 1, 2].map(|i| (own[i] + behind[i]) / 2.0);
        let (a, b) = (luminance(half) + 0.05, luminance(behind) + 0.05);
        assert!(a.max(b) / a.min(b) >= 3.0, "{own:?} on {behind:?}");
    }
}

/// What is shown, 0..=255 a channel, to someone whose cones mix light like this.
fn seen(rgb: Rgb, mix: [Rgb; 3]) -> Rgb {
    let light = light(rgb);
    mix.map(|row| {
        let share: f64 = row.iter().zip(light).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0);
        255.0 * if share <= 0.003_130_8 { 12.92 * share } else { 1.055 * share.powf(1.0 / 2.4) - 0.055 }
    })
}

/// Machado, Oliveira and Fernandes 2009, severity 1.
const DEUTERANOPIA: [Rgb; 3] = [
    [0.367_322, 0.860_646, -0.227_968],
    [0.280_085, 0.672_501, 0.047_413],
    [-0.011_820, 0.042_940, 0.968_881],
];
const PROTANOPIA: [Rgb; 3] = [
    [0.152_286, 1.052_583, -0.204_868],
    [0.114_503, 0.786_281, 0.099_216],
    [-0.003_882, -0.048_116, 1.051_998],
];
const TRITANOPIA: [Rgb; 3] = [
    [1.255_528, -0.076_749, -0.178_779],
    [-0.078_411, 0.930_809, 0.147_602],
    [0.004_733, 0.691_367, 0.303_900],
];

#[test]
fn levels_are_told_apart_without_red_green_or_blue_cones() {
    for (name, _, theme) in THEMES {
        let (mixes, least): (&[_], f64) = match name {
            "colour-blind" => (&[DEUTERANOPIA, PROTANOPIA, TRITANOPIA], 60.0),
            _ => (&[DEUTERANOPIA, PROTANOPIA], 30.0),
        };
        for mix in mixes {
            for (i, &a) in theme.scale.iter().enumerate() {
                for (j, &b) in theme.scale[..i].iter().enumerate() {
                    let [Some(a_seen), Some(b_seen)] = [a, b].map(|color| shown(color, &XTERM)) else {
                        assert!(theme.level(i) != theme.level(j), "{name}: {i} and {j}");
                        continue;
                    };
                    let [a_seen, b_seen] = [a_seen, b_seen].map(|rgb| seen(rgb, *mix));
                    let distance =
                        a_seen.iter().zip(b_seen).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
                    assert!(distance >= least, "{name}: {a:?} and {b:?}: {distance:.1}");
                }
            }
        }
    }
}

#[test]
fn a_colour_beyond_the_sixteen_becomes_the_nearest() {
    assert_eq!(nearest_of_sixteen(Color::Indexed(196)), Color::LightRed);
    assert_eq!(nearest_of_sixteen(Color::Rgb(90, 100, 250)), Color::LightBlue);
    assert_eq!(nearest_of_sixteen(Color::Indexed(3)), Color::Yellow);
    assert_eq!(nearest_of_sixteen(Color::Indexed(244)), Color::DarkGray);
    assert_eq!(nearest_of_sixteen(Color::Cyan), Color::Cyan);
}
