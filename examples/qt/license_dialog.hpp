// The license panel as a dialog: one widget for each field and button of the table, shown when the
// table says so.
#ifndef SEATLOCK_LICENSE_DIALOG_HPP
#define SEATLOCK_LICENSE_DIALOG_HPP

#include "license.hpp"

#include <QDialog>
#include <QFormLayout>
#include <QGridLayout>
#include <QHBoxLayout>
#include <QMap>
#include <QProgressBar>
#include <QVBoxLayout>

class license_dialog : public QDialog {
public:
    /// The license outlives the dialog.
    explicit license_dialog(license &shown, QWidget *parent = nullptr);
    ~license_dialog() override;

private:
    void refresh();
    void show_lines(const QList<seatlock_panel::line> &lines);
    void show_fields(const QList<seatlock_panel::field> &fields);
    void show_buttons(const QList<seatlock_panel::button> &buttons);
    QWidget *made_field(const seatlock_panel::field &field);
    void press(const QString &name);

    license &license_;
    QWidget *lines_ = nullptr;
    QProgressBar *progress_ = nullptr;
    QVBoxLayout *layout_ = nullptr, *fields_ = nullptr;
    QHBoxLayout *actions_ = nullptr;
    QGridLayout *others_ = nullptr;
    QMap<QString, QWidget *> field_widgets_;
    QMap<QString, QWidget *> button_widgets_;
};

#endif
