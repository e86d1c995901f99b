#include "license_dialog.hpp"

#include <QAction>
#include <QApplication>
#include <QCheckBox>
#include <QClipboard>
#include <QDesktopServices>
#include <QFileDialog>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QSignalBlocker>
#include <QStyle>
#include <QToolButton>
#include <QUrl>

#include <algorithm>

namespace {

// What is shown still keeps the keyboard's focus.
template <class Row>
void hide_others(const QMap<QString, QWidget *> &widgets, const QList<Row> &shown) {
    for (auto widget = widgets.begin(); widget != widgets.end(); ++widget) {
        const auto is_this = [&](const Row &row) { return row.name == widget.key(); };
        if (std::none_of(shown.begin(), shown.end(), is_this))
            widget.value()->hide();
    }
}

} // namespace

license_dialog::license_dialog(license &shown, QWidget *parent) : QDialog(parent), license_(shown) {
    setWindowTitle("License");
    setMinimumWidth(460);
    layout_ = new QVBoxLayout(this);
    layout_->setSpacing(12);
    progress_ = new QProgressBar;
    progress_->setRange(0, 0); // nobody knows how long a server takes
    progress_->setTextVisible(false);
    fields_ = new QVBoxLayout;
    actions_ = new QHBoxLayout;
    actions_->addStretch();
    others_ = new QGridLayout;
    layout_->addWidget(progress_);
    layout_->addLayout(fields_);
    layout_->addLayout(actions_);
    layout_->addLayout(others_);
    license_.changed = [this] { refresh(); };
    refresh();
}

license_dialog::~license_dialog() { license_.changed = nullptr; }

void license_dialog::refresh() {
    const seatlock_panel::view view = license_.view();
    setObjectName(view.state);
    show_lines(view.lines);
    progress_->setVisible(view.state == "asking" || view.state == "signing_in");
    show_fields(view.fields);
    show_buttons(view.buttons);
    // As high as wrapped lines need at this width, and not higher.
    layout_->activate();
    const int height = layout_->totalHeightForWidth(width());
    setMinimumHeight(height);
    resize(width(), height);
}

void license_dialog::show_lines(const QList<seatlock_panel::line> &lines) {
    auto *fresh = new QWidget;
    auto *column = new QVBoxLayout(fresh);
    column->setContentsMargins(0, 0, 0, 0);
    QFormLayout *facts = nullptr;
    auto plain = [](const QString &text) {
        auto *label = new QLabel(text);
        label->setTextFormat(Qt::PlainText); // a server's words are no markup
        label->setWordWrap(true);
        label->setTextInteractionFlags(Qt::TextSelectableByMouse);
        return label;
    };
    for (const seatlock_panel::line &line : lines) {
        if (line.role == "fact") {
            if (facts == nullptr) {
                facts = new QFormLayout;
                column->addLayout(facts);
            }
            facts->addRow(line.label + ":", plain(line.value));
        } else if (line.role == "link") {
            const QString address = line.value.toHtmlEscaped(), said = line.label.toHtmlEscaped();
            auto *link = new QLabel(QString("<a href=\"%1\">%2</a>").arg(address, said));
            link->setOpenExternalLinks(true);
            column->addWidget(link);
        } else if (line.role == "text") {
            column->addWidget(plain(line.value.isEmpty() ? line.label : line.value));
        } else {
            const bool good = line.role == "licensed" || line.role == "done";
            auto *row = new QHBoxLayout;
            if (line.role != "prompt") {
                auto *icon = new QLabel;
                const auto which = good ? QStyle::SP_DialogApplyButton : QStyle::SP_MessageBoxWarning;
                icon->setPixmap(style()->standardIcon(which).pixmap(20, 20));
                row->addWidget(icon, 0, Qt::AlignTop);
            }
            QLabel *said = plain(line.value);
            QFont font = said->font();
            font.setBold(line.role != "done" && line.role != "failed");
            said->setFont(font);
            row->addWidget(said, 1);
            column->addLayout(row);
        }
    }
    delete lines_;
    lines_ = fresh;
    layout_->insertWidget(0, lines_);
    lines_->show();
}

QWidget *license_dialog::made_field(const seatlock_panel::field &field) {
    const QString name = field.name;
    if (field.kind == "check") {
        auto *box = new QCheckBox(field.label);
        connect(box, &QCheckBox::toggled, this, [this, name](bool on) {
            license_.enter(name, on ? "yes" : "no");
            refresh();
        });
        return box;
    }
    auto *edit = new QLineEdit;
    edit->setPlaceholderText(field.label);
    edit->setClearButtonEnabled(true);
    connect(edit, &QLineEdit::textChanged, this, [this, name](const QString &text) {
        license_.enter(name, text);
        refresh();
    });
    if (field.kind == "secret") {
        edit->setEchoMode(QLineEdit::Password);
        connect(edit, &QLineEdit::returnPressed, this, [this] { press("activate"); });
        return edit;
    }
    const bool save = field.kind == "save";
    QAction *browse = edit->addAction(style()->standardIcon(QStyle::SP_DialogOpenButton),
                                      QLineEdit::TrailingPosition);
    connect(browse, &QAction::triggered, edit, [edit, save, label = field.label] {
        const QString path = save ? QFileDialog::getSaveFileName(edit, label)
                                  : QFileDialog::getOpenFileName(edit, label);
        if (!path.isEmpty())
            edit->setText(path);
    });
    return edit;
}

void license_dialog::show_fields(const QList<seatlock_panel::field> &fields) {
    hide_others(field_widgets_, fields);
    for (const seatlock_panel::field &field : fields) {
        QWidget *&widget = field_widgets_[field.name];
        if (widget == nullptr) {
            widget = made_field(field);
            widget->setObjectName(field.name);
            widget->setAccessibleName(field.label);
            fields_->addWidget(widget);
        }
        const QSignalBlocker quiet(widget);
        if (auto *box = qobject_cast<QCheckBox *>(widget))
            box->setChecked(field.value == "yes");
        else if (auto *edit = qobject_cast<QLineEdit *>(widget);
                 edit != nullptr && edit->text() != license_.entered(field.name))
            edit->setText(license_.entered(field.name));
        widget->show();
    }
}

void license_dialog::show_buttons(const QList<seatlock_panel::button> &buttons) {
    hide_others(button_widgets_, buttons);
    int other = 0;
    for (const seatlock_panel::button &button : buttons) {
        // What changes the license stands out; what looks at things does not.
        const QString verb = button.call.section(' ', 0, 0);
        const bool aside =
            verb == "copy" || verb == "open" || (verb == "view" && button.name != "back");
        QWidget *&widget = button_widgets_[button.name];
        if (widget == nullptr) {
            QAbstractButton *made = nullptr;
            if (aside) {
                auto *tool = new QToolButton;
                tool->setAutoRaise(true);
                made = tool;
            } else {
                auto *push = new QPushButton;
                push->setAutoDefault(false);
                made = push;
            }
            made->setText(button.label);
            made->setObjectName(button.name);
            connect(made, &QAbstractButton::clicked, this,
                    [this, name = button.name] { press(name); });
            widget = made;
        }
        // In the table's order, whenever each was made.
        if (aside) {
            others_->addWidget(widget, other / 2, other % 2, Qt::AlignLeft);
            other++;
        } else {
            actions_->removeWidget(widget);
            actions_->addWidget(widget);
        }
        widget->setEnabled(button.enabled);
        widget->show();
    }
}

void license_dialog::press(const QString &name) {
    license_.press(name, [](const QString &what, const QString &text) {
        if (what == "copy")
            QApplication::clipboard()->setText(text);
        else
            QDesktopServices::openUrl(QUrl(text));
    });
}
